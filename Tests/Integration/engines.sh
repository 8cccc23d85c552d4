#!/usr/bin/env bash
# Runs containers through unchanged engines, with arca named as the runtime: engines.sh [ENGINE...]
#
#   ARCA              the program (default: out/bin/arca)
#   ARCA_NETWORK_MIB  how much goes in each direction of each network (default: 32)
#   ARCA_NETWORK_MTUS the largest packets of these networks (default: 1280 9000)
#   ARCA_SOAK_CYCLES  how many create/start/kill/delete cycles the soak makes (default: 30)
#   ARCA_TEST_SECONDS how long one command may take (default: 90)
#   ARCA_TEST_IMAGES  where images are kept (default: ~/.cache/arca/test-images)
#
# The engines are those of Debian (podman, containerd, Docker), run in a network and a mount namespace of
# their own with private roots: nothing of the machine is changed. A missing engine is a failure.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
images=${ARCA_TEST_IMAGES:-$HOME/.cache/arca/test-images}
if [ "${1:-}" != --inside ]; then
  bash "$here/images/make-images.sh" "$images" >/dev/null || exit 1
  exec unshare -n -m --propagation private "$0" --inside "$@"
fi
shift
mount -t tmpfs tmpfs /run || exit 1
arca=$(readlink -f "${ARCA:-$here/../../out/bin/arca}")
work=$(mktemp -d)
export ARCA_DATA=$work/data ARCA_STATE=$work/state
image=arca.test/busybox:1
failures=0
containerd_pid=
dockerd_pid=
kbs_pid=

cleanup() {
  podman rm -fa -t 0 >/dev/null 2>&1
  [ -n "$kbs_pid" ] && kill "$kbs_pid"
  [ -n "$dockerd_pid" ] && kill "$dockerd_pid" && wait "$dockerd_pid"
  [ -n "$containerd_pid" ] && kill "$containerd_pid" && wait "$containerd_pid"
  grep -o " $work/[^ ]*" /proc/self/mountinfo | sort -r | xargs -r umount -l 2>/dev/null
  rm -rf --one-file-system "$work"
} 2>/dev/null
trap cleanup EXIT

fail() {
  echo "  FAILED: $*" >&2
  failures=$((failures + 1))
}

# expect STATUS OUTPUT COMMAND...: the command exits and prints so; `*` is any output.
expect() {
  local status=$1 output=$2 found code
  shift 2
  found=$(timeout "${ARCA_TEST_SECONDS:-90}" "$@" 2>"$work/stderr" </dev/null)
  code=$?
  [ "$code" = "$status" ] || fail "$*: status $code, expected $status: $(tail -2 "$work/stderr")"
  # shellcheck disable=SC2053
  [[ $found == $output ]] || fail "$*: printed '$found', expected '$output'"
}

# refused TEXT COMMAND...: the command fails and says TEXT.
refused() {
  local text=$1
  shift
  timeout "${ARCA_TEST_SECONDS:-90}" "$@" >"$work/stderr" 2>&1 </dev/null && fail "$*: was not refused"
  grep -qF -- "$text" "$work/stderr" ||
    fail "$*: expected '$text', found: $(tail -2 "$work/stderr")"
}

digest() { "$arca" --root "$1" state "$2" | sed -n 's/.*workload-digest" : "\(.*\)".*/\1/p'; }
# same_digest ROOT ID ARGUMENT...: the container has the digest that `arca measure` gives for these.
same_digest() {
  local found expected
  found=$(digest "$1" "$2") expected=$(measured "${@:3}")
  [ -n "$found" ] && [ "$found" = "$expected" ] && return
  fail "$2: the digest is '$found', arca measure gives '$expected'"
  diff <("$arca" manifest derive "${@:3}") \
    <("$arca" manifest show "$(find "$1" -path "*$2*/job/manifest")") >&2
}
measured() { "$arca" measure "$@" | sed -n 's/workload digest: *//p'; }
# What `podman kube play` mounts by itself from version 5 on: for `arca measure`, owner's words.
played=()
case $(podman --version) in
*" "[1-4].*) ;;
*) played=(--tmpfs /tmp:size=64m,mode=1777 --tmpfs /var/tmp:size=64m,mode=1777) ;;
esac

# The engines start runtimes with an environment of their own.
cat > "$work/arca" <<END
#!/bin/sh
export ARCA_DATA=$ARCA_DATA ARCA_STATE=$ARCA_STATE
exec "$arca" "\$@"
END
chmod +x "$work/arca"

podman() {
  CONTAINERS_CONF=$work/containers.conf command podman --root "$work/podman" --runroot "$work/run" \
    --tmpdir "$work/tmp" --network-config-dir "$work/networks" --runtime "${RUNTIME:-$work/arca}" "$@"
}
export -f podman
export work

# timeout(1) runs programs only.
cat > "$work/p" <<'END'
#!/bin/bash
podman "$@"
END
chmod +x "$work/p"

until_says() { # NAME TEXT COUNT [ENGINE]: waits until the container has printed it so often
  for _ in $(seq 120); do
    [ "$("${4:-podman}" logs "$1" 2>&1 | grep -c -- "$2")" -ge "$3" ] && return
    sleep 0.5
  done
  fail "$1 never said $2"
}

# Makes the engine's folders and loads the image that the tests run, once.
prepare_podman() {
  [ -e "$work/containers.conf" ] && return
  mkdir -p "$work/networks"
  cat > "$work/containers.conf" <<END
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
END
  ip link set lo up
  image_archive
  podman load -q -i "$work/image.tar" >/dev/null || fail "podman load"
}

# Makes the archive of the image that the engines load, once.
image_archive() {
  [ -e "$work/image.tar" ] ||
    skopeo copy -q "oci:$images/busybox" "docker-archive:$work/image.tar:$image" || fail "no image"
}

# Gives podman an image of the tests', once.
load_image() {
  [ -e "$work/$1.tar" ] && return
  skopeo copy -q "oci:$images/$1" "docker-archive:$work/$1.tar:arca.test/$1:1"
  podman load -q -i "$work/$1.tar" >/dev/null || fail "podman load"
}

test_podman() {
  local p=$work/p name=$image loop
  prepare_podman

  expect 7 'out web xy' "$p" run --rm --network none --hostname web -e A=xy "$name" \
    sh -c 'echo out $(hostname) $A; echo err >&2; exit 7'
  grep -qx err "$work/stderr" || fail "standard error did not arrive"
  expect 0 '1000 /tmp' "$p" run --rm --network none -u 1000 -w /tmp "$name" \
    sh -c 'echo $(id -u) $PWD'
  found=$(echo data | timeout "${ARCA_TEST_SECONDS:-90}" "$p" run --rm -i --network none "$name" cat)
  [ "$found" = data ] || fail "standard input: found '$found'"
  expect 0 '*' python3 "$here/terminal.py" "$p" run -it --rm --network none "$name" \
    sh -c "echo ready; exec sh"

  loop='trap "exit 3" TERM; echo up; while :; do sleep 0.2; done'
  expect 0 '*' "$p" run -d --name one -p 127.0.0.1:8080:80 -m 256m --cpus 1 \
    --annotation dev.arca.allow-exec=true \
    --health-cmd '["busybox","true"]' --health-interval disable \
    "$name" sh -c "busybox httpd -p 80 -h /etc; $loop"
  until_says one up 1
  same_digest "$ARCA_STATE/runtime" "$(podman inspect one --format '{{.Id}}')" --allow-exec \
    "oci:$images/busybox" sh -c "busybox httpd -p 80 -h /etc; $loop"
  expect 0 "*root*" busybox wget -q -O - http://127.0.0.1:8080/passwd
  expect 4 out "$p" exec one busybox sh -c 'echo out; exit 4'
  expect 127 '*' "$p" exec one missing
  expect 0 '*' "$p" healthcheck run one
  expect 0 '*' "$p" inspect one
  expect 0 '*' "$p" restart -t 5 one
  until_says one up 2
  local id
  id=$(podman inspect one --format '{{.Id}}')
  expect 0 '*"pids":{"current":*"type":"stats"}' \
    "$arca" --root "$ARCA_STATE/runtime" events --stats "$id"
  expect 0 '*' "$p" stop -t 20 one
  refused "container $id" "$arca" --root "$ARCA_STATE/runtime" events "$id"
  expect 0 3 "$p" inspect one --format '{{.State.ExitCode}}'
  expect 0 '*' "$p" rm one

  expect 0 '*' "$p" run -d --name two --network none "$name" sh -c "$loop"
  id=$(podman inspect two --format '{{.Id}}')
  same_digest "$ARCA_STATE/runtime" "$id" "oci:$images/busybox" sh -c "$loop"
  refused 'hostMay.execute' "$p" exec two ls
  expect 0 '*' "$p" kill two
  expect 0 '*' "$p" rm -f two
  # A folder of the host and a named volume, where the owner allows them; what was written is there again.
  mkdir "$work/shared" && echo text > "$work/shared/file"
  podman volume create data >/dev/null || fail "podman volume create"
  local volumes=(--annotation 'dev.arca.share-folders=/shared /data' -v "$work/shared:/shared" -v data:/data)
  expect 0 text "$p" run --rm --network none "${volumes[@]}" "$name" \
    sh -c 'cat /shared/file; echo back > /shared/made; echo kept > /data/kept; busybox chown 7:8 /data/kept'
  expect 0 '7 8 kept' "$p" run --rm --network none "${volumes[@]}" "$name" \
    sh -c 'echo $(busybox stat -c "%u %g" /data/kept) $(cat /data/kept)'
  [ "$(cat "$work/shared/made")" = back ] || fail "what was written to a folder is not there"
  expect 1 '*' "$p" run --rm --network none --annotation dev.arca.share-folders=/shared \
    -v "$work/shared:/shared:ro" "$name" sh -c 'echo no > /shared/other'
  refused '--network host' "$p" run --rm --network host "$name" true
  refused 'hostMay: {writeFiles' "$p" run --rm --network none -v /etc:/data "$name" true
  refused 'a device of the host' "$p" run --rm --network none --device /dev/null:/dev/x "$name" true
}

# Bytes in both directions by IPv4 and IPv6, through published ports, networks of small and large packets, a
# link that goes down and comes up, and one that loses packets.
test_network() {
  local p=$work/p address=fd00:99::1 mtu kind link serve mebibytes=${ARCA_NETWORK_MIB:-32}
  prepare_podman
  load_image debian
  sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv4.ip_forward=1
  ip address add "$address/128" dev lo nodad
  serve=$(cat "$here/transfer.py")
  for mtu in ${ARCA_NETWORK_MTUS:-1280 9000}; do
    podman network create --ipv6 --subnet 10.98.0.0/24 --subnet fd00:98::/64 -o mtu=$mtu "mtu$mtu" >/dev/null ||
      fail "podman network create"
    expect 0 '*' "$p" run -d --name server --network "mtu$mtu" -p 127.0.0.1:8095:80 -p "[$address]:8095:80" \
      arca.test/debian:1 python3 -c "$serve" serve 80
    until_says server serving 1
    for kind in send receive; do
      expect 0 '*: equal*' python3 "$here/transfer.py" $kind 127.0.0.1 8095 "$mebibytes"
      expect 0 '*: equal*' python3 "$here/transfer.py" $kind "$address" 8095 "$mebibytes"
    done
    if [ $mtu = 9000 ]; then
      # The link of the container, which the host holds by the other end, goes down amid a transfer.
      link=$(ip -o link show type veth | sed -n 's/^[0-9]*: \([^@]*\)@.*/\1/p' | head -n 1)
      (sleep 1; ip link set "$link" down; sleep 2; ip link set "$link" up) &
      expect 0 '*: equal*' python3 "$here/transfer.py" send 127.0.0.1 8095 "$mebibytes"
      wait $!
      # One packet in fifty is lost.
      iptables -A FORWARD -m statistic --mode random --probability 0.02 -j DROP || fail "iptables"
      expect 0 '*: equal*' python3 "$here/transfer.py" receive 127.0.0.1 8095 8
      iptables -D FORWARD -m statistic --mode random --probability 0.02 -j DROP
    fi
    expect 0 '*' "$p" rm -f -t 0 server
    expect 0 '*' "$p" network rm "mtu$mtu"
  done
}

# Secrets and an encrypted volume from a key broker, which the launcher reaches over the container's
# own network, beside the guest.
test_broker() {
  local p=$work/p kbs address=10.99.0.1 folder=$work/kbs command options annotations served digests keep
  kbs=$(dirname "$arca")/arca-kbs
  prepare_podman
  load_image redis
  podman network create secrets >/dev/null || fail "podman network create"
  ip address add "$address/32" dev lo
  expect 0 '*' "$p" run --rm --network none "$image" true # makes the simulated vendor
  "$kbs" init --folder "$folder" --listen "$address:8443" --simulated-vendor "$ARCA_DATA/simulated-amd" \
    >/dev/null || fail "arca-kbs init"
  printf marked | "$kbs" resource set --folder "$folder" default/key/db - >/dev/null
  head -c 32 /dev/urandom | "$kbs" resource set --folder "$folder" default/key/volume - >/dev/null
  "$kbs" serve --folder "$folder" 2>"$work/kbs.log" &
  kbs_pid=$!
  busybox nc -ll -p 8092 -e echo 'reached the host' &
  served=$!
  command="echo \$TOKEN; exec 3<>/dev/tcp/$address/8092 && busybox cat <&3"
  options=(--key-broker https://kbs.test:8443 --key-broker-pin "$("$kbs" pin --folder "$folder")"
    --secret kbs:///default/key/db:TOKEN)
  annotations=(--annotation dev.arca.key-broker=https://kbs.test:8443
    --annotation "dev.arca.key-broker-pins=${options[3]}"
    --annotation dev.arca.secrets=kbs:///default/key/db:TOKEN)
  keep='busybox cat /data/kept 2>/dev/null; echo kept > /data/kept'
  "$arca" manifest derive "${options[@]}" "oci:$images/redis" bash -c "$keep" > "$work/volume.yaml" ||
    fail "arca manifest derive"
  printf 'volumes:\n- {name: engines, destination: /data, key: "kbs:///default/key/volume"}\n' \
    >> "$work/volume.yaml"
  "$arca" volume create engines --size 64m >/dev/null || fail "arca volume create"
  digests=$(jq -n --arg one "$(measured "${options[@]}" "oci:$images/redis" bash -c "$command")" \
    --arg two "$("$arca" manifest digest "$work/volume.yaml")" '[$one, $two]')
  "$arca" measure --json "oci:$images/redis" | jq --argjson digests "$digests" '{version: 1, rules: [
    {name: "test", resources: ["default/key/*"], tees: ["snp"], workloads: $digests,
     platforms: [{measurement: .platformMeasurement}], dangerouslyAcceptSimulatedEvidence: true}]}' |
    "$kbs" policy install --folder "$folder" - >/dev/null || fail "arca-kbs policy install"
  local run=("$p" run --rm --network secrets --add-host "kbs.test:$address")
  expect 0 $'marked\nreached the host' "${run[@]}" "${annotations[@]}" arca.test/redis:1 bash -c "$command"
  refused keyBrokerRefused "${run[@]}" "${annotations[@]}" arca.test/redis:1 bash -c 'echo $TOKEN'
  run+=(--annotation "dev.arca.manifest=$work/volume.yaml")
  expect 0 '' "${run[@]}" arca.test/redis:1 bash -c "$keep"
  expect 0 kept "${run[@]}" arca.test/redis:1 bash -c "$keep"
  refused 'manifest says that' "${run[@]}" "${annotations[@]}" arca.test/redis:1 bash -c "$keep"
  kill "$served"
  kill "$kbs_pid" && wait "$kbs_pid"
  kbs_pid=
}

# start_containerd NAME SETTINGS: starts a daemon of its own, at $work/NAME.sock.
start_containerd() {
  mkdir -p "$work/$1"
  cat > "$work/$1.toml" <<END
version = 2
root = "$work/$1/root"
state = "$work/$1/state"
$2
[grpc]
address = "$work/$1.sock"
END
  containerd --config "$work/$1.toml" >"$work/$1.log" 2>&1 &
  containerd_pid=$!
  for _ in $(seq 50); do
    ctr --address "$work/$1.sock" version >/dev/null 2>&1 && return
    sleep 0.2
  done
  fail "$1 never answered: $(tail -3 "$work/$1.log")"
}

stop_containerd() {
  kill "$containerd_pid" && wait "$containerd_pid"
  containerd_pid=
}

test_containerd() {
  local name=$image address=$work/containerd.sock
  start_containerd containerd 'disabled_plugins = ["io.containerd.grpc.v1.cri"]'
  image_archive
  ctr --address "$address" image import "$work/image.tar" >/dev/null 2>&1 || fail "ctr import"
  local run=(ctr --address "$address" run --runc-binary "$work/arca" --allow-new-privs)
  expect 5 hello "${run[@]}" --rm "$name" c1 /bin/busybox sh -c 'echo hello; exit 5'
  expect 0 '*' "${run[@]}" -d "$name" c2 /bin/busybox sleep 100
  same_digest /run/containerd/runc/default c2 "oci:$images/busybox" sleep 100
  expect 0 '*' ctr --address "$address" task kill -s KILL c2
  sleep 1
  expect 0 '*' ctr --address "$address" task rm c2
  expect 0 '*' ctr --address "$address" container rm c2
  stop_containerd
}

# A pod as a kubelet makes it: through containerd's CRI, with deploy/containerd.toml.
test_cri() {
  local address=$work/cri.sock cni=$work/cni
  ip link set lo up
  mkdir -p "$cni" "$work/pod-logs"
  cat > "$cni/10-test.conflist" <<END
{"cniVersion": "0.4.0", "name": "arca-test", "plugins": [{
  "type": "bridge", "bridge": "arca-test0", "isGateway": true,
  "ipam": {"type": "host-local", "dataDir": "$work/cni-state", "subnet": "10.89.77.0/24"}}]}
END
  start_containerd cri "$(sed "s|/usr/local/bin/arca|$work/arca|" "$here/../../deploy/containerd.toml")
[plugins.\"io.containerd.grpc.v1.cri\"]
sandbox_image = \"arca.test/pause:1\"
restrict_oom_score_adj = true
disable_apparmor = true
[plugins.\"io.containerd.grpc.v1.cri\".cni]
bin_dir = \"/usr/lib/cni\"
conf_dir = \"$cni\""
  image_archive
  skopeo copy -q "oci:$images/pause" "docker-archive:$work/pause.tar:arca.test/pause:1"
  for archive in image pause; do
    ctr --address "$address" -n k8s.io image import "$work/$archive.tar" >/dev/null 2>&1 ||
      fail "ctr import of $archive"
  done
  # Debian's own Python has the client's library.
  expect 0 'pod: served*' /usr/bin/python3 "$here/cri.py" "$address" arca "$work/pod-logs" "$image"
  stop_containerd
}

test_docker() {
  local name=$image loop found id
  export DOCKER_HOST=unix://$work/docker.sock DOCKER_CONFIG=$work/docker-config
  ip link set lo up
  echo '{}' > "$work/docker.json"
  dockerd --config-file "$work/docker.json" --data-root "$work/docker" --exec-root "$work/docker-exec" \
    --pidfile "$work/docker.pid" --host "$DOCKER_HOST" --add-runtime "arca=$work/arca" >"$work/dockerd.log" 2>&1 &
  dockerd_pid=$!
  for _ in $(seq 100); do
    docker version >/dev/null 2>&1 && break
    sleep 0.2
  done
  image_archive
  docker load -q -i "$work/image.tar" >/dev/null || {
    fail "docker load: $(tail -3 "$work/dockerd.log")"
    return
  }
  local run=(docker run --runtime arca)

  expect 7 'out web xy' "${run[@]}" --rm --network none --hostname web -e A=xy "$name" \
    sh -c 'echo out $(hostname) $A; echo err >&2; exit 7'
  grep -qx err "$work/stderr" || fail "standard error did not arrive"
  expect 0 '1000 /tmp' "${run[@]}" --rm --network none -u 1000 -w /tmp "$name" \
    sh -c 'echo $(id -u) $PWD'
  found=$(echo data | timeout "${ARCA_TEST_SECONDS:-90}" "${run[@]}" --rm -i --network none "$name" cat)
  [ "$found" = data ] || fail "standard input: found '$found'"
  expect 0 '*' python3 "$here/terminal.py" "${run[@]}" -it --rm --network none "$name" \
    sh -c "echo ready; exec sh"

  loop='trap "exit 3" TERM; echo up; while :; do sleep 0.2; done'
  expect 0 '*' "${run[@]}" -d --name one -p 127.0.0.1:8081:80 -m 256m --cpus 1 "$name" \
    sh -c "busybox httpd -p 80 -h /etc; $loop"
  until_says one up 1 docker
  id=$(docker inspect one --format '{{.Id}}')
  same_digest "$(echo "$work"/docker-exec/runtime-*/moby)" "$id" \
    "oci:$images/busybox" sh -c "busybox httpd -p 80 -h /etc; $loop"
  expect 0 "*root*" busybox wget -q -O - http://127.0.0.1:8081/passwd
  refused 'hostMay.execute' docker exec one ls
  expect 0 one docker update --cpus 0.5 one
  found=$(cat "/sys/fs/cgroup/cpu/docker/$id/cpu.cfs_quota_us" "/sys/fs/cgroup/docker/$id/cpu.max" 2>/dev/null)
  [ "${found%% *}" = 50000 ] || fail "docker update: the quota is '$found'"
  refused 'since its start' docker update --memory 128m --memory-swap 128m one
  expect 0 '*' docker restart -t 5 one
  until_says one up 2 docker
  expect 0 '*' docker stop -t 20 one
  expect 0 3 docker inspect one --format '{{.State.ExitCode}}'
  expect 0 '*' docker rm one
  expect 0 '*' "${run[@]}" -d --name two --network none --ulimit nofile=1000:2000 "$name" sh -c "$loop"
  same_digest "$(echo "$work"/docker-exec/runtime-*/moby)" \
    "$(docker inspect two --format '{{.Id}}')" --ulimit nofile=1000:2000 \
    "oci:$images/busybox" sh -c "$loop"
  expect 0 '*' docker kill two
  expect 0 137 docker wait two
  expect 0 '*' docker rm -f two
  refused '--network host' "${run[@]}" --rm --network host "$name" true
}

# A process of the cycle's container, or one that works on it: the command, crun, the launcher or QEMU.
soak_victim() {
  { pgrep -P $$ -f -- "--root $work/soak "; pgrep -f -- "crun .* ?arca-s$1\b"
    cat /sys/fs/cgroup/{pids,.}/"arca-s$1/cgroup.procs"; } 2>/dev/null | sort -u | shuf -n 1
}

# What a cycle may leave: processes, sockets, interfaces, mounts, control groups and files, those of the cache apart.
soak_leftovers() {
  # Those of other tests run beside this one.
  grep -ls 'arca-s[0-9]' /proc/[0-9]*/cgroup
  pgrep -af -- "--root $root " | grep -v '<defunct>'
  ss -Hanp 2>/dev/null | grep -E 'arca|launcher|qemu' | tr -s ' '
  nsenter --net="/run/netns/soak" ip -o link | cut -d ' ' -f 2
  nsenter --net="/run/netns/soak" tc filter show dev eth0 ingress
  grep -F "$work" /proc/self/mountinfo | cut -d ' ' -f 5
  find /sys/fs/cgroup -maxdepth 3 -name '*arca-s[0-9]*'
  find "$work/soak" "$ARCA_STATE" "$ARCA_DATA" /run/arca -mindepth 1 -not -path "$ARCA_DATA/vmm/*" \
    -not -path '*/.outer/.cache*' 2>/dev/null # crun's
}

# Cycles of the runtime's own operations in a network namespace, one in ten with a SIGKILL of a random
# process at a random moment.
test_soak() {
  local bundle=$work/bundle root=$work/soak cycles=${ARCA_SOAK_CYCLES:-30} since=$SECONDS killed=0 killer victim left
  mkdir -p "$bundle/rootfs/bin" "$root"
  cp "$(command -v busybox)" "$bundle/rootfs/bin/busybox"
  ip netns add soak
  ip link add soak0 type veth peer name eth0 netns soak
  ip link set soak0 up
  nsenter --net=/run/netns/soak sh -c 'ip address add 10.97.0.2/24 dev eth0; ip link set eth0 up; ip link set lo up'
  (cd "$bundle" && "$arca" spec && jq '.process.terminal = false | .process.args = ["/bin/busybox", "sleep", "100"]
    | (.linux.namespaces[] | select(.type == "network")).path = "/run/netns/soak"' config.json > new && mv new config.json)
  for cycle in $(seq 0 "$cycles"); do
    killer=
    if [ $((cycle % 10)) = 5 ]; then
      (sleep "$((RANDOM % 3)).$((RANDOM % 10))"; victim=$(soak_victim "$cycle"); [ -n "$victim" ] && kill -9 "$victim") &
      killer=$!
    fi
    "$arca" --root "$root" create --bundle "$bundle" --pid-file "$work/pid" "s$cycle" \
      </dev/null >/dev/null 2>&1 || [ -n "$killer" ] || fail "soak: create $cycle"
    "$arca" --root "$root" start "s$cycle" >/dev/null 2>&1 || [ -n "$killer" ] || fail "soak: start $cycle"
    # Some are killed while they boot, others when they run.
    [ $((cycle % 4)) = 1 ] && sleep 3
    [ -n "$killer" ] && wait "$killer" && killed=$((killed + 1))
    "$arca" --root "$root" kill "s$cycle" KILL >/dev/null 2>&1 || [ -n "$killer" ] || fail "soak: kill $cycle"
    "$arca" --root "$root" delete --force "s$cycle" || fail "soak: delete $cycle"
    # The first cycle fills the cache.
    [ "$cycle" = 0 ] && soak_leftovers > "$work/before" && since=$SECONDS
    if [ "$cycle" -gt 0 ] && [ $((cycle % 100)) = 0 ]; then
      echo "  $cycle cycles, the last hundred in $((SECONDS - since)) s, $killed with a process killed"
      since=$SECONDS
    fi
  done
  [ "$killed" -ge $((cycles / 20)) ] || fail "soak: only $killed of $cycles cycles had a process killed"
  left=$(soak_leftovers | grep -vxFf "$work/before")
  [ -z "$left" ] || fail "soak: $cycles cycles, $killed of them with a process killed, left $left"
  ip netns delete soak
}

# shellcheck source=Tests/Integration/beside-crun.sh
. "$here/beside-crun.sh"
# shellcheck source=Tests/Integration/pods.sh
. "$here/pods.sh"

for name in "${@:-podman privileges names late rootless pod localhost network broker containerd cri docker soak}"; do
  for test in $name; do
    echo "$test"
    "test_$test"
  done
done
[ "$failures" = 0 ] && echo "engines: all passed" || echo "engines: $failures failed" >&2
[ "$failures" = 0 ]
