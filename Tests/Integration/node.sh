#!/usr/bin/env bash
# Runs deploy/install-node.sh on nodes that are this machine's root with all writes kept apart: node.sh
#
# The package is a stand-in that holds a program `arca`, and systemctl one that writes down what it is
# asked for; containerd is Debian's own and reads what the installer wrote.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
if [ "${1:-}" != --inside ]; then exec unshare -m --propagation private "$0" --inside; fi
work=$(mktemp -d)
cleanup() {
  umount -R -l "$work/root" 2>/dev/null || true
  umount -l "$work/layer" 2>/dev/null || true
  rm -rf --one-file-system "$work"
}
trap cleanup EXIT
failures=0
fail() {
  echo "  FAILED: $*" >&2
  failures=$((failures + 1))
}

mkdir -p "$work"/{layer,root,package/DEBIAN,package/usr/bin}
printf '#!/bin/sh\necho "doctor: nothing"\n' > "$work/package/usr/bin/arca"
chmod +x "$work/package/usr/bin/arca"
printf 'Package: arca\nVersion: %s\nArchitecture: all\nMaintainer: nobody\nDescription: stand-in\n' 1.0 \
  > "$work/package/DEBIAN/control"
dpkg-deb --root-owner-group --build "$work/package" "$work/arca.deb" > /dev/null

# node: a new one. Its containerd has the configuration $1, or none where that is empty.
node() {
  umount -R -l "$work/root" 2>/dev/null || true
  umount -l "$work/layer" 2>/dev/null || true
  mount -t tmpfs tmpfs "$work/layer"
  mkdir "$work/layer/upper" "$work/layer/work"
  mount -t overlay overlay -o "lowerdir=/,upperdir=$work/layer/upper,workdir=$work/layer/work" \
    "$work/root"
  for folder in proc dev; do mount --rbind "/$folder" "$work/root/$folder"; done
  for folder in run tmp; do mount -t tmpfs tmpfs "$work/root/$folder"; done
  rm -rf "$work/root/etc/containerd" "$work/root/etc/crio"
  if [ -n "$1" ]; then
    mkdir -p "$work/root/etc/containerd"
    printf '%s\n' "$1" > "$work/root/etc/containerd/config.toml"
  fi
  mkdir "$work/root/tmp/installer"
  cp "$work/arca.deb" "$root"/deploy/{install-node.sh,containerd.toml,containerd-2.toml,crio.conf} \
    "$work/root/tmp/installer/"
  # The real one tells dpkg's own scripts that nothing runs here.
  # shellcheck disable=SC2016 # the arguments are systemctl's
  printf '#!/bin/sh\necho "$@" >> /tmp/asked\n' > "$work/root/tmp/systemctl"
  chmod +x "$work/root/tmp/systemctl"
  mkdir -p "$work/root/usr/local/bin"
  cp "$work/root/tmp/systemctl" "$work/root/usr/local/bin/systemctl"
}
inside() { chroot "$work/root" env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"; }
install() { inside sh /tmp/installer/install-node.sh /tmp/installer/arca.deb > "$work/log" 2>&1; }
installs() { install || fail "$1: $(tail -3 "$work/log")"; }
runtimes() { # prints the runtimes that containerd sees
  inside containerd --config /etc/containerd/config.toml config dump 2>/dev/null |
    sed -n 's/^ *\[plugins.*containerd\.runtimes\.\([a-z]*\)\]$/\1/p' | sort | xargs
}
expect_runtimes() { # WHAT NAMES
  [ "$(runtimes)" = "$2" ] || fail "$1: containerd sees '$(runtimes)', expected '$2'"
}
asked() { cat "$work/root/tmp/asked" 2>/dev/null | xargs; }
config=$work/root/etc/containerd/config.toml

echo "a node whose containerd has no configuration"
node ''
installs 'first time'
expect_runtimes 'first time' 'arca runc'
[ "$(asked)" = 'restart containerd' ] || fail "systemctl was asked '$(asked)'"
grep -q 'BinaryName = "/usr/bin/arca"' "$config" || fail "the program is not the package's"
[ "$(inside dpkg-query -W -f='${Version}' arca)" = 1.0 ] || fail 'the package is not installed'
cp "$config" "$work/first"
installs 'second time'
cmp -s "$config" "$work/first" || fail 'the second time changed the configuration'
[ "$(asked)" = 'restart containerd' ] || fail "the second time restarted: '$(asked)'"

echo "a node whose containerd names its own runtimes"
node 'version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "pause:own"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.other]
  runtime_type = "io.containerd.runc.v2"'
cp "$config" "$work/own"
installs 'with runtimes'
expect_runtimes 'with runtimes' 'arca other runc'
grep -q 'sandbox_image = "pause:own"' "$config" || fail 'what was configured is gone'
cmp -s "$config.before-arca" "$work/own" || fail 'the old configuration is not kept'

echo "a node whose configuration cannot be added to"
for text in 'version = 1' 'oom_score = 0' 'version = 2
[plugins."io.containerd.grpc.v1.cri"'; do
  node "$text"
  ! install || fail "taken: $text"
  [ "$(cat "$config")" = "$text" ] || fail "changed although it failed: $text"
  grep -q '^install-node: /etc/containerd/config.toml: ' "$work/log" || fail "no reason: $(cat "$work/log")"
  [ -z "$(asked)" ] || fail "restarted although it failed: $text"
done

echo "a node with CRI-O"
node ''
mkdir "$work/root/etc/crio"
installs 'CRI-O'
grep -q '^runtime_path = "/usr/bin/arca"' "$work/root/etc/crio/crio.conf.d/50-arca.conf" ||
  fail 'CRI-O does not know arca'
[ "$(asked)" = 'restart containerd restart crio' ] || fail "systemctl was asked '$(asked)'"

[ "$failures" = 0 ] || exit 1
echo "node installation: all passed"
