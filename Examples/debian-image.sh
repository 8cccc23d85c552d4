#!/usr/bin/env bash
# Makes an OCI image layout from Debian packages, without a registry and without a container engine.
#
#   debian-image.sh FOLDER CONFIG-JSON PACKAGE...
#
# Each package's own tar becomes a layer, behind a base layer with the usual folders and links.
# CONFIG-JSON is the "config" object of the image's configuration: {"Entrypoint": ["/bin/sh"]}.
# What was downloaded is kept beside FOLDER and used again.
set -euo pipefail
umask 022

folder=$1 config=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
packages=$(dirname "$folder")/packages
mkdir -p "$packages" "$work/blobs/sha256"

blob() { # FILE: moves it among the blobs, prints "sha256:…" and its size
  local digest size
  digest=$(sha256sum "$1" | cut -d' ' -f1)
  size=$(stat -c %s "$1")
  mv "$1" "$work/blobs/sha256/$digest"
  echo "sha256:$digest $size"
}

layers='' diff_ids=''
add_layer() { # TAR
  local digest size
  read -r digest size < <(blob "$1")
  layers+="${layers:+,}{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"$digest\",\"size\":$size}"
  diff_ids+="${diff_ids:+,}\"$digest\""
}

mkdir -p "$work"/base/{usr/{bin,sbin,lib,lib64},etc,root,tmp,var,run,proc,sys,dev}
chmod 1777 "$work/base/tmp"
chmod 700 "$work/base/root"
for name in bin sbin lib lib64; do ln -s "usr/$name" "$work/base/$name"; done
echo 'root:x:0:0:root:/root:/bin/sh' > "$work/base/etc/passwd"
echo 'root:x:0:' > "$work/base/etc/group"
tar -C "$work/base" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf "$work/base.tar" .
add_layer "$work/base.tar"

for package in "$@"; do
  deb=$(find "$packages" -name "${package}_*.deb" | sort | tail -n 1)
  if [ -z "$deb" ]; then
    (cd "$packages" && apt-get -o APT::Sandbox::User=root download -qq "$package")
    deb=$(find "$packages" -name "${package}_*.deb" | sort | tail -n 1)
  fi
  # A package made before Debian merged /usr has ./bin; here that is a link, so its files move.
  dpkg-deb --fsys-tarfile "$deb" > "$work/package.tar"
  mkdir "$work/unpacked"
  tar -C "$work/unpacked" --numeric-owner -xpf "$work/package.tar" \
    --transform='flags=r;s,^\./\(bin\|sbin\|lib\|lib64\)\(/\|$\),./usr/\1\2,'
  tar -C "$work/unpacked" --sort=name --numeric-owner -cf "$work/layer.tar" .
  rm -rf "$work/unpacked"
  add_layer "$work/layer.tar"
done

echo "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":$config,\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[$diff_ids]}}" > "$work/config"
read -r config_digest config_size < <(blob "$work/config")
echo "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"$config_digest\",\"size\":$config_size},\"layers\":[$layers]}" > "$work/manifest"
read -r digest size < <(blob "$work/manifest")
echo "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"$digest\",\"size\":$size}]}" > "$work/index.json"
echo '{"imageLayoutVersion":"1.0.0"}' > "$work/oci-layout"
rm -rf "$work"/base "$work"/package.tar "$folder"
mkdir -p "$folder"
mv "$work"/blobs "$work"/index.json "$work"/oci-layout "$folder"
