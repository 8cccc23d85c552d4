#!/usr/bin/env bash
# Makes out/arca_VERSION_amd64.deb of what `make guest` built; prints its name. `make package`.
#
# Equal inputs give equal bytes: every time is that of the last commit, every owner is root.
set -euo pipefail
umask 022
cd "$(dirname "$0")/.."
out=$PWD/out
read -ra depends <<< "$(sed -n 's/^RUNTIME_PACKAGES := //p' Makefile)"
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH LC_ALL=C.UTF-8 TZ=UTC

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root library=$work/root/usr/lib/arca

version=$("$out/bin/arca" --version | sed -n 's/^arca version //p')
guest=$(sed -n 's/.*"arcaVersion" : "\(.*\)".*/\1/p' "$out/lib/arca/guest/release.json")
[ "$version" = "$guest" ] || {
  echo "package: arca is $version, the guest's release.json $guest; run \`make guest\` again" >&2
  exit 1
}
awk -v version="$version" '/^## /{on = $2 == version} on' CHANGELOG.md > "$work/changes"
[ -s "$work/changes" ] || {
  echo "package: CHANGELOG.md has no section \"## $version\"" >&2
  exit 1
}

make --no-print-directory -o guest install DESTDIR="$root" PREFIX=/usr > /dev/null
rm "$root/usr/bin/arca-runtime"
programs=("$root/usr/bin/arca" "$root/usr/bin/arca-kbs" "$library/arca-launcher")

# Of the Swift runtime what the programs load. Debian's libraries stay Debian's: a libc beside another
# release's loader would not even start.
runtime=$(ldd "$out/bin/arca" | sed -n 's|.*=> \(.*/\)libswiftCore.so .*|\1|p')
for program in "${programs[@]}"; do ldd "$program"; done \
  | awk -v folder="$runtime" 'index($3, folder) == 1 {print $3}' | sort -u > "$work/runtime"
xargs -a "$work/runtime" install -D -m 644 -t "$library/swift"
strip --strip-unneeded "${programs[@]}" "$library"/swift/*.so
# shellcheck disable=SC2016 # $ORIGIN is the dynamic loader's
{
  for program in "$root"/usr/bin/*; do patchelf --set-rpath '$ORIGIN/../lib/arca/swift' "$program"; done
  for file in "$library"/swift/*.so; do patchelf --set-rpath '$ORIGIN' "$file"; done
}
ln "$root/usr/bin/arca" "$root/usr/bin/arca-runtime"

# What people read.
documents=$root/usr/share/doc/arca
install -D -m 644 -t "$documents" README.md CHANGELOG.md SECURITY.md docs/*.md
install -D -m 644 deploy/copyright "$documents/copyright"
install -D -m 644 -t "$documents/examples" deploy/*.toml deploy/*.conf deploy/*.yaml
maintainer=$(sed -n 's/^Upstream-Contact: //p' deploy/copyright)
{
  printf 'arca (%s) unstable; urgency=medium\n\n' "$version"
  sed -e '/^##/d; /^$/d' -e 's/^- /  * /; s/^  \([^*]\)/    \1/' "$work/changes"
  printf '\n -- %s  %s\n' "$maintainer" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")"
} | gzip -9n > "$documents/changelog.gz"
deploy/buildinfo.sh > "$documents/buildinfo"
mkdir -p "$root"/usr/share/{man/man1,bash-completion/completions,zsh/vendor-completions} \
  "$root/usr/share/fish/vendor_completions.d"
day=$(date -u -d "@$SOURCE_DATE_EPOCH" +%F)
for name in arca arca-kbs; do
  program=$out/bin/$name
  "$program" --experimental-dump-help \
    | python3 deploy/man.py "$version" "$day" "$root/usr/share/man/man1"
  "$program" --generate-completion-script bash > "$root/usr/share/bash-completion/completions/$name"
  "$program" --generate-completion-script zsh > "$root/usr/share/zsh/vendor-completions/_$name"
  "$program" --generate-completion-script fish \
    > "$root/usr/share/fish/vendor_completions.d/$name.fish"
done
echo '.so man1/arca.1' > "$root/usr/share/man/man1/arca-runtime.1"
gzip -9n "$root"/usr/share/man/man1/*

# Debian's libraries that the programs and the runtime need.
mkdir -p "$work/debian" "$root/DEBIAN"
printf 'Source: arca\n\nPackage: arca\nArchitecture: amd64\n' > "$work/debian/control"
libraries=$(cd "$work" && dpkg-shlibdeps -O --ignore-missing-info -l"$library/swift" \
  "${programs[@]/#/-e}" "$library"/swift/*.so 2> "$work/shlibdeps" | sed -n 's/^shlibs:Depends=//p') \
  || { cat "$work/shlibdeps" >&2; exit 1; }
python3 deploy/sbom.py "$version" "$root" Package.resolved > "$work/arca.spdx.json"
install -m 644 "$work/arca.spdx.json" "$documents/"
cat > "$root/DEBIAN/control" <<END
Package: arca
Version: $version
Architecture: amd64
Maintainer: $maintainer
Section: admin
Priority: optional
Installed-Size: $(du -sk --apparent-size "$root/usr" | cut -f1)
Depends: $(printf '%s, ' "${depends[@]}")$libraries
Recommends: ca-certificates, virtiofsd | qemu-system-common
Suggests: podman
Description: OCI containers, each in a trusted execution environment of its own
 arca runs ordinary OCI containers on machines that nobody has to trust: inside
 of each is a confidential guest with a kernel, a small init and the workload.
 arca-kbs is a key broker, which releases secrets to guests that prove what
 they are.
END
(cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum) > "$root/DEBIAN/md5sums"
find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
package=$out/arca_${version}_amd64.deb
dpkg-deb --root-owner-group -Zxz -z3 --build "$root" "$package" > /dev/null
echo "$package"
