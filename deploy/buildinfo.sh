#!/usr/bin/env bash
# Prints what the guest's bytes depend on beside the sources and the packages in release.json: the
# tools that make them, with versions, and the commit.
set -euo pipefail
cd "$(dirname "$0")/.."
echo "commit $(git rev-parse HEAD)$(git diff --quiet HEAD -- Sources guest Package.swift || echo ', changed')"
echo "swift $(swift --version 2> /dev/null | sed -n 's/.*(\(swift-[^)]*\)).*/\1/p')"
dpkg-query -W -f '${Package} ${Version}\n' \
  binutils dpkg-dev e2fsprogs gcc linux-libc-dev musl-tools xz-utils zstd
