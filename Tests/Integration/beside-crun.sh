# Tests of engines.sh that compare containers with crun's, or have them talk to each other.
# shellcheck shell=bash disable=SC2154 # the variables are those of engines.sh

# crun, which refuses a host that has both versions of control groups mounted.
crun_runtime() {
  cat > "$work/crun" <<'END'
#!/bin/sh
exec unshare -m --propagation private sh -c \
  'umount /sys/fs/cgroup/unified 2>/dev/null; exec crun "$@"' crun "$@"
END
  chmod +x "$work/crun"
}

# Capabilities and limits are those that the same command gives with crun.
test_privileges() {
  local p=$work/p name=$image status options expected id loop='while busybox sleep 1; do :; done'
  local limits=(--ulimit nofile=1000:2000 --ulimit core=0 --ulimit nproc=500:600)
  prepare_podman
  crun_runtime
  status='busybox grep -E "^(Cap|NoNew)" /proc/self/status; ulimit -n; ulimit -Hn; ulimit -u; ulimit -c'
  # Without the three that are left out of an engine's default.
  local run=("$p" run --rm --network none "${limits[@]}" --cap-drop mknod --cap-drop net_raw
    --cap-drop audit_write)
  for options in '' '-u 1000' '-u 1000 --cap-add net_admin' '--cap-add net_admin' \
    '-u 1000 --cap-drop all' '-u 1000:7 --cap-drop all --cap-add net_bind_service' \
    '-u 1000 --cap-add net_admin --security-opt no-new-privileges'; do
    # shellcheck disable=SC2086 # options are words
    expected=$(RUNTIME=$work/crun "${run[@]}" $options "$name" sh -c "$status")
    [ -n "$expected" ] || fail "crun gave nothing with '$options'"
    # shellcheck disable=SC2086
    expect 0 "$expected" "${run[@]}" $options "$name" sh -c "$status"
  done
  expect 0 '1048576 1048576' "$p" run --rm --network none "$name" sh -c 'echo $(ulimit -n) $(ulimit -u)'

  options="-u 1000 --cap-add net_admin"
  # shellcheck disable=SC2086
  expect 0 '*' "$p" run -d --name three --network none --annotation dev.arca.allow-exec=true \
    "${limits[@]}" $options "$name" sh -c "echo up; $loop"
  until_says three up 1
  id=$(podman inspect three --format '{{.Id}}')
  # shellcheck disable=SC2086
  same_digest "$ARCA_STATE/runtime" "$id" --allow-exec "${limits[@]}" $options \
    "oci:$images/busybox" sh -c "echo up; $loop"
  expect 0 $'*CapEff:\t0000000000001000*\n1000\n2000\n500\n0' "$p" exec three busybox sh -c "$status"
  expect 0 '*' "$p" rm -f -t 0 three
}

# Containers of one network reach each other by name, whatever runtime each has.
test_names() {
  local p=$work/p runtime other served
  prepare_podman
  load_image redis
  crun_runtime
  podman network create named >/dev/null || fail "podman network create"
  local run=(run --network named --ulimit nofile=1000:2000 --ulimit nproc=500:600)
  for runtime in arca crun; do
    served="echo up; exec busybox nc -ll -p 80 -e echo \"reached $runtime\""
    RUNTIME=$work/$runtime expect 0 '*' "$p" "${run[@]}" -d --name "web-$runtime" --network-alias \
      "alias-$runtime" arca.test/redis:1 bash -c "$served"
    until_says "web-$runtime" up 1
    expect 0 "$work/$runtime" "$p" inspect "web-$runtime" --format '{{.OCIRuntime}}'
  done
  for runtime in arca crun; do
    other=crun
    [ $runtime = crun ] && other=arca
    RUNTIME=$work/$other expect 0 "reached $runtime" "$p" "${run[@]}" --rm arca.test/redis:1 \
      bash -c "exec 3<>/dev/tcp/web-$runtime/80 && busybox cat <&3"
    RUNTIME=$work/$runtime expect 0 "reached $runtime" "$p" "${run[@]}" --rm arca.test/redis:1 \
      bash -c "exec 3<>/dev/tcp/alias-$runtime/80 && busybox cat <&3"
  done
  RUNTIME=$work/arca expect 1 '' "$p" "${run[@]}" --rm arca.test/redis:1 bash -c 'true </dev/tcp/nobody/80'
  expect 0 '*' "$p" rm -f -t 0 web-arca web-crun
  expect 0 '*' "$p" network rm named
}

# What an engine writes, and the network that it makes, between `create` and `start`, as podman 5 does.
test_late() {
  local bundle=$work/late root=$work/late-state said=$work/late-said tries
  mkdir -p "$bundle/rootfs/bin" "$root"
  cp "$(command -v busybox)" "$bundle/rootfs/bin/busybox"
  : > "$bundle/hosts"
  ip netns add late
  (cd "$bundle" && "$arca" spec && jq --arg hosts "$bundle/hosts" '.process.terminal = false
    | .process.args = ["/bin/busybox", "sh", "-c", "busybox cat /etc/hosts; busybox ip -o -4 addr; echo end"]
    | .mounts += [{destination: "/etc/hosts", type: "bind", source: $hosts, options: ["bind"]}]
    | (.linux.namespaces[] | select(.type == "network")).path = "/run/netns/late"' config.json > new && mv new config.json)
  "$arca" --root "$root" create --bundle "$bundle" late </dev/null >"$said" 2>&1 || fail "create: $(cat "$said")"
  echo 10.97.1.9 written-late > "$bundle/hosts"
  ip link add late0 type veth peer name eth0 netns late
  ip link set late0 up
  nsenter --net=/run/netns/late sh -c 'ip address add 10.97.1.2/24 dev eth0; ip link set eth0 up'
  "$arca" --root "$root" start late || fail "start"
  for tries in $(seq 100); do
    grep -qx end "$said" && break
    sleep 0.3
  done
  grep -q written-late "$said" || fail "the engine's file is as it was before create: $(cat "$said")"
  grep -q '10\.97\.1\.2/24' "$said" || fail "the network is as it was before create: $(cat "$said")"
  "$arca" --root "$root" delete --force late || fail "delete"
  ip netns delete late
}

# podman without root: a user that only this mount namespace knows, with slirp4netns and no control groups.
test_rootless() {
  local home=$work/home file found
  mkdir -m 755 "$home" "$home/run"
  chmod 755 "$work"
  image_archive
  cp /etc/passwd "$home/passwd"
  echo "arcauser:x:61234:61234::$home:/bin/sh" >> "$home/passwd"
  echo 'arcauser:200000:65536' > "$home/subuid"
  for file in passwd subuid subuid:subgid; do
    touch "/etc/${file#*:}" && mount --bind "$home/${file%:*}" "/etc/${file#*:}" || fail "/etc/${file#*:}"
  done
  # As udev has it.
  mknod -m 666 "$home/tun" c 10 200 && mount --bind "$home/tun" /dev/net/tun
  printf '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n' > "$home/containers.conf"
  cp "$work/image.tar" "$home/image.tar"
  chown -R 61234:61234 "$home"
  cat > "$work/rootless" <<END
#!/bin/sh
# crun refuses both versions of control groups at once, and no user can unmount one.
exec unshare -m --propagation shared sh -c 'umount /sys/fs/cgroup/unified 2>/dev/null
  exec setpriv --reuid 61234 --regid 61234 --clear-groups env -i PATH="$PATH" HOME=$home TMPDIR=$home \\
    XDG_RUNTIME_DIR=$home/run CONTAINERS_CONF=$home/containers.conf \\
    podman --storage-driver vfs --runtime $arca "\$@"' rootless "\$@"
END
  chmod +x "$work/rootless"
  expect 0 '*' "$work/rootless" load -q -i "$home/image.tar"
  expect 7 'out 0' "$work/rootless" run --rm --network none "$image" sh -c 'echo out $(id -u); exit 7'
  expect 0 '*10.0.2.100/24*' "$work/rootless" run --rm --network slirp4netns "$image" busybox ip -o -4 addr
  # What podman 5 takes by itself: the interface has the address of the host's way out.
  if [ "${#played[@]}" != 0 ]; then
    ip link add uplink type veth peer name beyond
    ip link set beyond up
    ip address add 198.51.100.7/24 dev uplink && ip link set uplink up
    ip route add default via 198.51.100.1
    expect 0 '*198.51.100.7/24*' "$work/rootless" run --rm --network pasta "$image" busybox ip -o -4 addr
    ip link delete uplink
  fi
  [ -d "$home/.local/share/arca/images" ] || fail "the image is not among the user's files"
  expect 0 '*' "$work/rootless" system migrate
}
