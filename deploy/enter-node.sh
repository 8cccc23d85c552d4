#!/bin/sh
# Copies the installer's files from its container to the node and runs install-node.sh there.
set -eu
# The node's shell by its path: BusyBox would take its own.
busybox tar -C /arca -cf - . | busybox nsenter -t 1 -m -u -n -i -- /bin/sh -euc '
  export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
  rm -rf /var/lib/arca-installer
  mkdir -p /var/lib/arca-installer
  cd /var/lib/arca-installer
  tar -xf -
  exec /bin/sh ./install-node.sh ./arca.deb'
