#!/usr/bin/env bash
# Makes the image of daemonset.yaml, of the package that `make package` made: installer-image.sh
#
# Prints the image's folder, which skopeo pushes: skopeo copy oci:FOLDER docker://REGISTRY/arca-installer:VERSION
set -euo pipefail
umask 022
cd "$(dirname "$0")/.."
package=$(find out -maxdepth 1 -name 'arca_*_amd64.deb' | sort -V | tail -n 1)
[ -n "$package" ] || { echo "installer-image: out/ has no package; run \`make package\`" >&2; exit 1; }
folder=out/installer
rm -rf "$folder"
mkdir -p "$folder"/{packages,files/DEBIAN,files/arca}
install -m 644 "$package" "$folder/files/arca/arca.deb"
install -m 644 -t "$folder/files/arca" deploy/{enter-node.sh,install-node.sh,containerd.toml} \
  deploy/{containerd-2.toml,crio.conf}
cat > "$folder/files/DEBIAN/control" <<END
Package: arca-installer-files
Version: 1
Architecture: all
Maintainer: nobody <nobody@example.invalid>
Description: what the installer's image holds
END
find "$folder/files" -exec touch -h -d "@$(git log -1 --format=%ct)" {} +
dpkg-deb --root-owner-group -Znone --build "$folder/files" \
  "$folder/packages/arca-installer-files_1_all.deb" > /dev/null
Examples/debian-image.sh "$folder/image" \
  '{"Env":["PATH=/bin"],"Cmd":["/bin/busybox","sh","/arca/enter-node.sh"]}' \
  busybox-static arca-installer-files
echo "$folder/image"
