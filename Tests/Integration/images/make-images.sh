#!/usr/bin/env bash
# Makes the images of the integration tests from Debian packages: make-images.sh FOLDER
#
# What is there already is kept. No registry and no container engine takes part.
set -euo pipefail
umask 022
here=$(cd "$(dirname "$0")" && pwd)
debian_image=$here/../../../Examples/debian-image.sh
folder=$1
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

known() { # PACKAGE...: each by the name that this Debian release has for it
  local package
  for package in "$@"; do
    if [ -n "$(apt-cache madison "$package")" ]; then echo "$package"; else echo "${package}t64"; fi
  done
}

debian() { # NAME CONFIG PACKAGE...
  local name=$1 config=$2
  shift 2
  [ -e "$folder/$name/index.json" ] || bash "$debian_image" "$folder/$name" "$config" "$@"
}

layout() { # NAME CONFIG ROOT: an image of one layer with the content of ROOT
  local target=$work/layout digest
  mkdir -p "$target/blobs/sha256"
  blob() { # FILE
    digest=$(sha256sum "$1" | cut -d' ' -f1)
    size=$(stat -c %s "$1")
    mv "$1" "$target/blobs/sha256/$digest"
  }
  tar -C "$3" --sort=name --numeric-owner --xattrs --xattrs-include='*' --format=pax \
    -cf "$work/layer" .
  blob "$work/layer"
  local layer=$digest layer_size=$size
  printf '{"architecture":"amd64","os":"linux","config":%s,"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
    "$2" "$layer" > "$work/config"
  blob "$work/config"
  printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":%s},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:%s","size":%s}]}' \
    "$digest" "$size" "$layer" "$layer_size" > "$work/manifest"
  blob "$work/manifest"
  printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":%s}]}' \
    "$digest" "$size" > "$target/index.json"
  echo '{"imageLayoutVersion":"1.0.0"}' > "$target/oci-layout"
  mv "$target" "$folder/$1"
}

debian busybox '{"Entrypoint":["/bin/busybox"],"Cmd":["sh"]}' busybox-static
debian pause '{"Entrypoint":["/bin/busybox","sleep","infinity"]}' busybox-static
python=$(apt-cache depends python3-minimal | sed -n 's/.*Depends: \(python3\.[0-9]*\)-minimal/\1/p')
# shellcheck disable=SC2046
debian debian '{"Cmd":["/bin/bash"]}' $(known bash coreutils python3-minimal "$python-minimal" \
  "lib$python-minimal" libc6 libtinfo6 libacl1 libattr1 libgmp10 libselinux1 libpcre2-8-0 libssl3 \
  zlib1g libzstd1 libexpat1)
# shellcheck disable=SC2046
debian redis '{"Cmd":["redis-server"]}' $(known busybox-static bash libtinfo6 redis-server \
  redis-tools libc6 libatomic1 libgcc-s1 libjemalloc2 liblzf1 libssl3 libstdc++6 libsystemd0 libcap2 \
  libgcrypt20 libgpg-error0 liblz4-1 liblzma5 libzstd1 zlib1g)
# shellcheck disable=SC2046
debian nginx '{"Cmd":["nginx"]}' $(known busybox-static nginx nginx-common libc6 libcrypt1 \
  libpcre2-8-0 libssl3 zlib1g libzstd1)

if [ ! -e "$folder/scratch/index.json" ]; then
  mkdir "$work/scratch"
  printf '%s\n' '#include <stdio.h>' '#include <unistd.h>' \
    'int main(void) { printf("static on scratch, pid %d\n", (int)getpid()); return 23; }' |
    gcc -static -O2 -x c -o "$work/scratch/program" -
  layout scratch '{"Entrypoint":["/program"]}' "$work/scratch"
fi

if [ ! -e "$folder/capability/index.json" ]; then
  mkdir -p "$work/capability/proc" "$work/capability/etc"
  echo 'worker:x:1000:1000::/:/program' > "$work/capability/etc/passwd"
  echo 'worker:x:1000:' > "$work/capability/etc/group"
  printf '%s\n' '#include <stdio.h>' '#include <string.h>' '#include <unistd.h>' \
    'int main(void) { char line[256]; FILE *file = fopen("/proc/self/status", "r");' \
    'printf("uid %d\n", (int)getuid()); while (fgets(line, sizeof line, file))' \
    'if (!strncmp(line, "CapEff", 6)) fputs(line, stdout); return 0; }' |
    gcc -static -O2 -x c -o "$work/capability/program" -
  # VFS_CAP_REVISION_2 with the effective bit; CAP_NET_BIND_SERVICE (10) permitted.
  python3 -c 'import os, struct, sys; os.setxattr(sys.argv[1], "security.capability", struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0))' \
    "$work/capability/program"
  layout capability '{"Entrypoint":["/program"],"User":"worker"}' "$work/capability"
fi

if [ ! -e "$folder/large/index.json" ]; then
  mkdir -p "$work/large/bin"
  cp /bin/busybox "$work/large/bin/busybox" 2>/dev/null ||
    (cd "$work" && dpkg-deb -x "$(find "$folder/packages" -name 'busybox-static_*.deb' | head -1)" bb &&
      cp "$(find bb -name busybox -type f | head -1)" large/bin/busybox)
  head -c 524288000 /dev/urandom > "$work/large/data"
  tail -c 1048576 "$work/large/data" | sha256sum | cut -d' ' -f1 > "$folder/large.sum"
  layout large '{"Entrypoint":["/bin/busybox"]}' "$work/large"
fi
