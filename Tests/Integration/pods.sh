# shellcheck shell=bash disable=SC2154
# Pods whose containers are TEEs of their own; sourced by engines.sh.

# A pod of two containers, each a TEE of its own in the network that they share.
test_pod() {
  local p=$work/p serve served gateway name
  prepare_podman
  podman network create pods >/dev/null || fail "podman network create"
  gateway=$(podman network inspect pods --format '{{(index .Subnets 0).Gateway}}')
  load_image redis
  serve='cd /tmp; echo $0 > index.html; busybox httpd -p $1 -h /tmp; echo up'
  # The shell's own connection: wget of a static busybox cannot resolve without libraries.
  serve="$serve; while busybox sleep 1; do exec 3<>/dev/tcp/$gateway/8092 && busybox sed \"s/^/\$2 /\" <&3; done"
  cat > "$work/pod.yaml" <<END
apiVersion: v1
kind: Pod
metadata: {name: duo}
spec:
  containers:
  - name: web
    image: arca.test/redis:1
    imagePullPolicy: Never
    args: [bash, -c, '$serve', first, "80", web]
    ports: [{containerPort: 80, hostPort: 8090}]
  - name: side
    image: arca.test/redis:1
    imagePullPolicy: Never
    args: [bash, -c, '$serve', second, "81", side]
    ports: [{containerPort: 81, hostPort: 8091}]
END
  expect 0 '*' "$p" kube play --network pods "$work/pod.yaml"
  until_says duo-web up 1
  until_says duo-side up 1
  same_digest "$ARCA_STATE/runtime" "$(podman inspect duo-side --format '{{.Id}}')" \
    "${played[@]}" "oci:$images/redis" bash -c "$serve" second 81 side
  expect 0 first busybox wget -q -O - http://127.0.0.1:8090/
  expect 0 second busybox wget -q -O - http://127.0.0.1:8091/
  # Outwards from both, and back again.
  busybox nc -ll -p 8092 -e echo 'reached the host' &
  served=$!
  for name in web side; do
    until_says "duo-$name" "$name reached the host" 1
  done
  kill "$served"
  expect 0 '*' "$p" kube down "$work/pod.yaml"
}

# localhost_pod NAME ANNOTATIONS: a pod of two, db and app, and of a third member that never starts;
# ANNOTATIONS are further ones, a JSON object.
localhost_pod() {
  jq -n --arg name "$1" --argjson more "$2" --rawfile program "$here/pod_member.py" '{
    apiVersion: "v1", kind: "Pod",
    metadata: {name: $name, annotations: ({"dev.arca.pod": "db=6379,9000 app=8080 third"} + $more)},
    spec: {containers: ["db", "app"] | map({
      name: ., image: "arca.test/debian:1", imagePullPolicy: "Never",
      env: [{name: "ARCA_POD_NAME", value: .}], args: ["python3", "-c", $program, .]})}}' > "$work/$1.yaml"
  expect 0 '*' "$work/p" kube play --network pods "$work/$1.yaml"
  until_says "$1-app" '^6379 marked text of db' 2
  until_says "$1-db" '^8080 marked text of app' 2
  until_says "$1-app" '^9000 marked text of db' 1
  # The own ports as before; one that the owner does not list is the own alone, and refused as in one kernel.
  until_says "$1-db" '^6379 marked text of db' 1
  until_says "$1-db" '^7000 marked text of db' 1
  until_says "$1-app" '^7000 ConnectionRefusedError' 1
}

# The process that holds the namespaces of pod $1.
sandbox_pid() {
  podman inspect "$(podman pod inspect "$1" --format '{{.InfraContainerID}}')" --format '{{.State.Pid}}'
}

# as_third POD PORT: what the host gets from a port of db's 127.0.0.1 when it plays the third member.
as_third() {
  nsenter -t "$(sandbox_pid "$1")" -n unshare -m bash -c '
    mount -t proc proc /proc
    mount -o remount,bind,rw /proc/sys 2>/dev/null
    echo 1 > /proc/sys/net/ipv4/conf/arca-pod/route_localnet
    echo 1 > /proc/sys/net/ipv4/conf/arca-pod/accept_local
    ip address replace 169.254.96.3/24 dev arca-pod
    ip route replace table local unicast 127.96.0.1 via 169.254.96.1 dev arca-pod
    ip route replace table 77 default via 169.254.96.1 dev arca-pod src 127.96.0.3
    ip rule add pref 1 iif lo to 127.0.0.1 dport "$1" table 77
    ip rule add pref 2 lookup local
    ip rule delete pref 0
    busybox timeout 3 busybox nc 127.0.0.1 "$1" < <(printf PING; sleep 1)
    ip rule add pref 0 lookup local
    ip rule delete pref 2
    ip rule delete pref 1' - "$2" 2>/dev/null
}

# Starts a key broker at $1 with its folder $2, whose policy follows it.
start_broker() {
  expect 0 '*' "$work/p" run --rm --network none "$image" true # makes the simulated vendor
  "$(dirname "$arca")/arca-kbs" init --folder "$2" --listen "$1" --simulated-vendor "$ARCA_DATA/simulated-amd" \
    >/dev/null || fail "arca-kbs init"
  "$(dirname "$arca")/arca-kbs" serve --folder "$2" 2>"$work/kbs.log" &
  kbs_pid=$!
}

# Prints all that goes over any interface of the pod $1 in $2 seconds.
wire() {
  nsenter -t "$(sandbox_pid "$1")" -n python3 -c '
import socket, sys, time
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.settimeout(1)
end = time.time() + float(sys.argv[1])
while time.time() < end:
    try:
        sys.stdout.buffer.write(wire.recv(65536))
    except TimeoutError:
        pass' "$2"
}

# Each TEE of a pod reaches the ports of the others' 127.0.0.1 that the owner lists: in clear, or by WireGuard
# with keys from the key broker.
test_localhost() {
  local address=10.99.0.2:8444 folder=$work/pod-kbs kbs options digests name
  kbs=$(dirname "$arca")/arca-kbs
  prepare_podman
  podman network exists pods || podman network create pods >/dev/null || fail "podman network create"
  load_image debian
  localhost_pod clear '{}'
  # The host plays the member that is not there: in clear it can, but only as far as a member can.
  [[ $(as_third clear 6379) == *'PING of db'* ]] || fail "localhost: the third member was not answered"
  [ -z "$(as_third clear 7000)" ] || fail "localhost: a port that db does not serve answered the link"
  [ "$(wire clear 5 | grep -c 'marked text')" -gt 0 ] || fail "localhost: clear text was not seen"
  expect 0 '*' "$work/p" kube down "$work/clear.yaml"

  ip address add "${address%:*}/32" dev lo
  start_broker "$address" "$folder"
  head -c 32 /dev/urandom | "$kbs" resource set --folder "$folder" default/pod/key - >/dev/null
  options=(--pod-member db=6379,9000 --pod-member app=8080 --pod-member third --pod-key kbs:///default/pod/key
    --key-broker "https://$address" --key-broker-pin "$("$kbs" pin --folder "$folder" | tr a-f A-F | basenc --base16 -d | base64)")
  digests=$(for name in db app; do
    measured "${options[@]}" "${played[@]}" --pod-name $name --env ARCA_POD_NAME=$name "oci:$images/debian" \
      python3 -c "$(cat "$here/pod_member.py")
" $name
  done | jq -Rn '[inputs]')
  "$arca" measure --json "oci:$images/debian" | jq --argjson digests "$digests" '{version: 1, rules: [{
    name: "pod", resources: ["default/pod/key"], tees: ["snp"], workloads: $digests,
    platforms: [{measurement: .platformMeasurement}], dangerouslyAcceptSimulatedEvidence: true}]}' |
    "$kbs" policy install --folder "$folder" - >/dev/null || fail "arca-kbs policy install"
  localhost_pod sealed "$(jq -n --arg url "${options[9]}" --arg pin "${options[11]}" '{
    "dev.arca.pod-key": "kbs:///default/pod/key", "dev.arca.key-broker": $url, "dev.arca.key-broker-pins": $pin}')"
  # A member that starts again has the same key; the others' sessions with it begin anew.
  expect 0 '*' "$work/p" restart -t 0 sealed-db
  until_says sealed-db '^6379 marked text of db' $(($(podman logs sealed-db 2>&1 | grep -c '^6379 marked') + 2))
  until_says sealed-app '^6379 marked text of db' $(($(podman logs sealed-app 2>&1 | grep -c '^6379 marked') + 2))
  [ -z "$(as_third sealed 6379)" ] || fail "localhost: a host without the key was answered"
  wire sealed 5 > "$work/frames"
  [ -s "$work/frames" ] || fail "localhost: nothing went over the link"
  grep -q 'marked text' "$work/frames" && fail "localhost: clear text went over the link"
  expect 0 '*' "$work/p" kube down "$work/sealed.yaml"
  kill "$kbs_pid" && wait "$kbs_pid"
  kbs_pid=
}
