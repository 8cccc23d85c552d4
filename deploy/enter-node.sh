#!/bin/sh
# Copies the installer's files from its container to the node and runs install-node.sh there.
set -eu
busybox tar -C /arca -cf - . | busybox nsenter -t 1 -m -u -n -i -- sh -euc '
  rm -rf /var/lib/arca-installer
  mkdir -p /var/lib/arca-installer
  cd /var/lib/arca-installer
  tar -xf -
  exec sh ./install-node.sh ./arca.deb'
