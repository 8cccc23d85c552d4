#!/usr/bin/env bash
# Signs files of a release: sign-release.sh KEY.pem FILE...
#
# KEY.pem is a private key of P-256 (openssl ecparam -name prime256v1 -genkey -noout). Each FILE gets a
# FILE.sig beside it: ECDSA with SHA-256, DER, as cosign's keys make it. To check one:
#
#   openssl dgst -sha256 -verify PUBLIC.pem -signature FILE.sig FILE
set -euo pipefail
key=$1
shift
for file in "$@"; do
  openssl dgst -sha256 -sign "$key" -out "$file.sig.new" "$file"
  mv "$file.sig.new" "$file.sig"
  echo "$file.sig"
done
