#!/usr/bin/busybox sh
# In the floor: an encrypted and authenticated volume on a disk of zeros, with the layers that
# docs/volumes.md has, made by dmsetup and mke2fs; then `steady volume` in it.
#
#   by-hand DISK BYTES
set -e
export DM_DISABLE_UDEV=1
disk=$1 bytes=$2
tags="integrity $disk 2048 32 J 1 block_size:4096"
dmsetup create tags --table "0 8 $tags" # formats
dmsetup remove tags
sectors=$(busybox od -A n -t u8 -j 1048592 -N 8 "$disk") # provided_data_sectors
sectors=$((sectors / 8 * 8))
dmsetup create tags --table "0 $sectors $tags"
key=00112233445566778899aabbccddeeff
dmsetup create plain --table "0 $sectors crypt capi:aegis128-random $key 0 /dev/mapper/tags 0 2 \
integrity:32:aead sector_size:4096"
# What was never written fails authentication.
busybox dd if=/dev/zero of=/dev/mapper/plain bs=1M 2>/dev/null || true
busybox sync
/usr/sbin/mke2fs -q -t ext4 -b 4096 -I 256 -m 0 -J size=8 -O none,has_journal,ext_attr,resize_inode,dir_index,\
filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,uninit_bg \
  -E lazy_itable_init=0,lazy_journal_init=0,nodiscard /dev/mapper/plain
busybox mkdir /tmp/volume
busybox mount -t ext4 -o nosuid,nodev,errors=remount-ro,noinit_itable /dev/mapper/plain /tmp/volume
exec steady volume /tmp/volume "$bytes"
