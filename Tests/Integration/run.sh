#!/usr/bin/env bash
# Boots real guests with the built arca: run.sh [TEST...]; without names, every test but `soak`, which
# looks at the whole machine, and `crowd`, which takes minutes.
#
#   ARCA              the program (default: out/bin/arca)
#   ARCA_STREAM_MIB   how much goes through each standard stream (default: 64)
#   ARCA_SOAK_RUNS    how many runs the soak makes (default: 20)
#   ARCA_CROWD        how many containers the crowd starts at once (default: 100)
#   ARCA_TEST_IMAGES  where images are kept (default: ~/.cache/arca/test-images)
#
# A machine that cannot boot a guest fails here; nothing is skipped.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
arca=${ARCA:-$here/../../out/bin/arca}
images=${ARCA_TEST_IMAGES:-$HOME/.cache/arca/test-images}
work=$(mktemp -d)
export ARCA_DATA=$work/data ARCA_STATE=$work/state
library=$(cd "$(dirname "$arca")/../lib/arca" && pwd)
failures=0

cleanup() {
  "$arca" ps >/dev/null 2>&1
  rm -rf "$work"
}
trap cleanup EXIT

fail() {
  echo "  FAILED: $*" >&2
  failures=$((failures + 1))
}

# run STATUS OUTPUT ARGUMENT...: arca run with these arguments exits and prints so.
run() {
  local status=$1 output=$2 found
  shift 2
  found=$(timeout 300 "$arca" run --rm "$@" 2>"$work/stderr" </dev/null)
  local code=$?
  [ "$code" = "$status" ] || fail "arca run $*: status $code, expected $status: $(tail -3 "$work/stderr")"
  [ "$output" = "*" ] || [ "$found" = "$output" ] || fail "arca run $*: printed '$found', expected '$output'"
}

# refused CODE ARGUMENT...: arca run fails with 125 and names CODE.
refused() {
  local code=$1
  shift
  run 125 '*' "$@"
  grep -q "$code" "$work/stderr" || fail "arca run $*: expected $code, found: $(tail -2 "$work/stderr")"
}

busybox=oci:$images/busybox

test_images() {
  run 0 hello "$busybox" echo hello
  run 42 out "$busybox" sh -c 'echo out; echo err >&2; exit 42'
  grep -qx err "$work/stderr" || fail "standard error did not arrive"
  grep -q 'simulated TEE' "$work/stderr" || fail "nothing says that the TEE is simulated"
  run 6 '2 threes' "oci:$images/debian" bash -c \
    'python3 -c "print(1 + 1, \"threes\")"; exit 6'
  run 0 $'PONG\nvalue' "oci:$images/redis" bash -c \
    'redis-server --save "" --daemonize yes >/dev/null; until redis-cli ping 2>/dev/null; do busybox sleep 0.2; done
     redis-cli set key value >/dev/null; redis-cli get key'
  run 0 'served by nginx' "oci:$images/nginx" busybox sh -c \
    'busybox ip link set lo up 2>/dev/null; mkdir -p /var/log/nginx /var/lib/nginx /tmp/web
     echo "served by nginx" > /tmp/web/index.html
     echo "daemon on; error_log stderr; events {} http { access_log off; server { listen 127.0.0.1:80; root /tmp/web; } }" > /tmp/nginx.conf
     echo "nobody:x:65534:65534::/:/bin/false" >> /etc/passwd; echo "nogroup:x:65534:" >> /etc/group
     nginx -c /tmp/nginx.conf 2>/dev/null; busybox wget -q -O - http://127.0.0.1/index.html'
  run 23 'static on scratch, pid 1' "oci:$images/scratch"
  run 0 $'uid 1000\nCapEff:\t0000000000000400' "oci:$images/capability"
  run 0 1234 --user 1234:99 "$busybox" id -u
  run 0 "$(cat "$images/large.sum")" "oci:$images/large" sh -c \
    'busybox tail -c 1048576 /data | busybox sha256sum | busybox cut -d" " -f1'
  run 127 '*' --entrypoint /nothing "$busybox"
  run 126 '*' --entrypoint /etc/passwd "$busybox"
  run 0 2 --cpus 2 "$busybox" nproc
  run 0 yes --memory 256m "$busybox" sh -c \
    '[ "$(sed -n "s/MemTotal: *\([0-9]*\) kB/\1/p" /proc/meminfo)" -lt 262144 ] && echo yes'
  run 143 '*' "oci:$images/debian" bash -c 'bash -c "kill -TERM \$\$"; exit $?'
}

test_streams() {
  local mebibytes=${ARCA_STREAM_MIB:-64} sum found
  head -c "${mebibytes}M" /dev/urandom > "$work/blob"
  sum=$(sha256sum < "$work/blob")
  found=$(timeout 3000 "$arca" run --rm -i "$busybox" cat < "$work/blob" 2>/dev/null | sha256sum)
  [ "$found" = "$sum" ] || fail "standard input and output changed the bytes"
  found=$(timeout 3000 "$arca" run --rm -i "$busybox" sh -c 'cat >&2' < "$work/blob" 2>&1 >/dev/null |
    tail -n +2 | tail -c "$(stat -c %s "$work/blob")" | sha256sum)
  [ "$found" = "$sum" ] || fail "standard error changed the bytes"
}

test_terminal() {
  timeout 300 python3 "$here/terminal.py" "$arca" run --rm -t -i "$busybox" sh -c 'echo ready; exec sh' ||
    fail "the terminal"
  # One that hangs up ends a workload that would not go by itself.
  timeout 120 python3 "$here/hangup.py" "$arca" run --rm -t -i --name hangup "$busybox" \
    sh -c 'trap "" HUP; echo ready; while :; do sleep 1; done' || fail "the terminal's hang-up"
  "$arca" ps -a | grep -q hangup && fail "the terminal's hang-up left a container"
  timeout 120 "$arca" run -d -t -i --name terminal "$busybox" \
    sh -c 'stty size; read x; echo never' >/dev/null 2>&1 || fail "a terminal, detached"
  sleep 1
  [ "$("$arca" logs terminal)" = $'24 80\r' ] || fail "a terminal, detached: '$("$arca" logs terminal)'"
  "$arca" ps | grep -q 'terminal.*running' || fail "a terminal, detached: it has ended"
  "$arca" rm -f terminal >/dev/null || fail "arca rm -f of a detached terminal"
}

test_life() {
  local id
  id=$(timeout 120 "$arca" run -d --name life "$busybox" sh -c \
    'trap "echo bye; exit 7" TERM; echo started; while :; do sleep 0.2; done' 2>/dev/null)
  "$arca" ps | grep -q "$id.*running" || fail "arca ps does not show it: $("$arca" ps)"
  refused 'name life' --name life "$busybox" true
  timeout 60 "$arca" stop life >/dev/null || fail "arca stop"
  [ "$("$arca" logs life)" = $'started\nbye' ] || fail "arca logs: $("$arca" logs life)"
  "$arca" ps -a --json | jq -e '.[] | select(.name == "life" and .exitStatus == 7)' >/dev/null ||
    fail "the exit status is not kept"
  "$arca" rm life >/dev/null || fail "arca rm"
  timeout 120 "$arca" run --rm "$busybox" sh -c 'trap "exit 5" TERM; echo up; while :; do sleep 0.2; done' \
    > "$work/up" 2>/dev/null &
  local pid=$!
  for _ in $(seq 600); do grep -q up "$work/up" 2>/dev/null && break; sleep 0.1; done
  kill -TERM "$pid"
  wait "$pid"
  [ $? = 5 ] || fail "SIGTERM to arca did not reach the workload"
}

# flip FILE OFFSET: changes one bit of a file; once more, and it is as it was.
flip() {
  local byte
  byte=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
  printf "\\x$(printf %x $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# changed FILE OFFSET COMMAND...: runs the command with one bit of the file changed.
changed() {
  flip "$1" "$2"
  "${@:3}"
  flip "$1" "$2"
}

test_tamper() {
  # Copies, so that what is installed stays whole, and with one image alone.
  local copy=$work/lib rootfs size
  local -x ARCA_DATA=$work/tamper
  mkdir -p "$copy"
  cp -rL "$library/." "$copy"
  export ARCA_LIB=$copy
  run 0 fine "$busybox" echo fine
  changed "$copy/guest/vmlinux" 5000000 refused kernelChanged "$busybox" true
  changed "$copy/guest/initrd" 100000 refused initrdChanged "$busybox" true
  changed "$copy/guest/cmdline" 3 refused commandLineChanged "$busybox" true
  rootfs=$(find "$ARCA_DATA/images/rootfs" -name rootfs.erofs | head -n 1)
  size=$(stat -c %s "$rootfs")
  changed "$rootfs" 1030 refused rootFilesystemChanged "$busybox" true
  changed "$rootfs" 300000 refused rootFilesystemChanged "$busybox" sh -c 'cat /bin/busybox | sha256sum'
  changed "$rootfs" $((size - 4096 * 2)) refused rootFilesystemChanged "$busybox" sh -c 'cat /bin/busybox >/dev/null'
  # A host that changes the manifest after arca wrote it, before the launcher has read it.
  (
    for _ in $(seq 4000); do
      job=$(echo "$ARCA_STATE"/containers/*/job/manifest)
      [ -e "$job" ] && flip "$job" 40 && break
      sleep 0.002
    done
  ) &
  refused manifestChanged "$busybox" true
  wait $!
  unset ARCA_LIB
}

# The root of outer containers is made anew after an upgrade; the earlier ones go, but for those in use.
test_upgrade() {
  local -x ARCA_DATA=$work/upgrade ARCA_LIB=$work/upgraded
  local id first roots
  cp -rL "$library/." "$ARCA_LIB"
  id=$(timeout 120 "$arca" run -d "$busybox" sleep 600 2>/dev/null)
  first=$(echo "$ARCA_DATA"/vmm/root-*)
  for _ in 1 2 3; do
    touch "$ARCA_LIB/arca-launcher"
    run 0 upgraded "$busybox" echo upgraded
  done
  [ -d "$first" ] || fail "an upgrade removed the root of a container that runs"
  roots=("$ARCA_DATA"/vmm/root-*)
  [ ${#roots[@]} = 3 ] || fail "after three upgrades there are the roots ${roots[*]}"
  "$arca" rm -f "$id" >/dev/null || fail "arca rm -f after an upgrade"
  touch "$ARCA_LIB/arca-launcher"
  run 0 upgraded "$busybox" echo upgraded
  [ ! -e "$first" ] || fail "the root of a container that has gone is left"
}

# A guest that never answers: what stops a container does not wait for it.
test_silent() {
  local id pid name
  id=$(timeout 120 "$arca" run -d --name silent "$busybox" sleep 600 2>/dev/null)
  for pid in $(cat /sys/fs/cgroup/{pids,.}/"arca-$id/cgroup.procs" 2>/dev/null | sort -u); do
    name=$(cat "/proc/$pid/comm")
    [[ $name == qemu* ]] && kill -STOP "$pid" && break
    pid=
  done
  [ -n "$pid" ] || fail "QEMU was not found"
  timeout 60 "$arca" stop -t 2 silent >/dev/null || fail "arca stop waits for a guest that is silent"
  [ -e "/proc/$pid" ] && fail "QEMU outlives arca stop"
  "$arca" rm silent >/dev/null || { fail "arca rm"; "$arca" rm -f silent >/dev/null; }
}

test_manifest() {
  local manifest=$work/manifest.yaml
  "$arca" manifest derive "$busybox" echo owner > "$manifest" || fail "arca manifest derive"
  run 0 owner --manifest "$manifest" "$busybox"
  refused replaceArgs --manifest "$manifest" "$busybox" echo host
  refused setEnv --manifest "$manifest" -e A=1 "$busybox"
  sed -i 's/replaceArgs: false/replaceArgs: true/; s/setEnv: \[\]/setEnv: [A]/' "$manifest"
  run 0 'host 1' --manifest "$manifest" -e A=1 "$busybox" /bin/busybox sh -c 'echo host $A'
  sed -i 's/rootHash: .*/rootHash: "'"$(printf %064d 1)"'"/' "$manifest"
  run 125 '*' --manifest "$manifest" "$busybox"
}

# Folders of the host, which virtiofsd serves.
test_folders() {
  local folder=$work/folder id pid
  mkdir -p "$folder" && echo text > "$folder/file"
  run 126 text -v "$folder:/data" "$busybox" sh -c 'cat /data/file; echo new > /data/made
    busybox chown 7:8 /data/made; cp /bin/busybox /data/program; exec /data/program true'
  [ "$(stat -c '%u %g' "$folder/made")" = '7 8' ] || fail "the owner of a file did not arrive"
  # QEMU has no capability of its server's.
  id=$(timeout 120 "$arca" run -d --name folders -v "$folder:/data" "$busybox" sleep 60 2>/dev/null)
  pid=$(cat /sys/fs/cgroup/{pids,.}/"arca-$id/cgroup.procs" 2>/dev/null | xargs -I{} sh -c \
    'grep -q qemu /proc/{}/comm && echo {}' | head -n 1)
  grep -q 'CapEff:.0000000000000000' "/proc/$pid/status" || fail "QEMU of a guest with folders has capabilities"
  "$arca" rm -f folders >/dev/null || fail "arca rm -f"
  run 1 text -v "$folder:/data:ro" "$busybox" sh -c 'cat /data/file; echo no > /data/other'
  "$arca" manifest derive "$busybox" true > "$work/closed.yaml"
  refused shareFolders --manifest "$work/closed.yaml" -v "$folder:/data" "$busybox"
}

test_outer() {
  local id pid checked=0
  id=$(timeout 120 "$arca" run -d --name outer "$busybox" sleep 60 2>/dev/null)
  for pid in $(cat /sys/fs/cgroup/{pids,.}/"arca-$id/cgroup.procs" 2>/dev/null | sort -u); do
    checked=$((checked + 1))
    for line in 'CapEff:.0000000000000000' 'CapBnd:.0000000000000000' 'NoNewPrivs:.1' 'Seccomp:.2'; do
      grep -q "$line" "/proc/$pid/status" || fail "process $pid of the outer container: no $line"
    done
    grep -q '^[^ ]* [^ ]* [^ ]* [^ ]* / ro' "/proc/$pid/mountinfo" || fail "its root takes writes"
    [ -e "/proc/$pid/root/home" ] && fail "the host's root is in the outer container"
  done
  [ "$checked" -ge 2 ] || fail "the launcher and QEMU were not found"
  "$arca" rm -f outer >/dev/null || fail "arca rm -f"
}

test_identity() {
  local digest platform
  run 0 '*' --evidence "$work/report" "$busybox" true
  # HOST_DATA and MEASUREMENT of the report (AMD 56860, ATTESTATION_REPORT).
  digest=$(od -An -tx1 -j 192 -N 32 "$work/report" | tr -d ' \n')
  platform=$(od -An -tx1 -j 144 -N 48 "$work/report" | tr -d ' \n')
  "$arca" measure --json "$busybox" true > "$work/measured" || fail "arca measure"
  grep -q "$digest" "$work/measured" || fail "workload digest $digest is not what arca measure says"
  grep -q "$platform" "$work/measured" || fail "platform measurement $platform is not what arca measure says"
}

# What this machine lacks is said before anything is started, in the doctor's words.
test_hardware() {
  local kind
  "$arca" doctor --json > "$work/doctor" || fail "arca doctor finds no usable kind"
  for kind in snp tdx sev-es sev; do
    if jq -e --arg kind "$kind" '.kinds[] | select(.kind == $kind) | .isUsable' "$work/doctor" >/dev/null
    then
      run 0 real --tee "$kind" "$busybox" echo real
    else
      refused 'to mend it' --tee "$kind" "$busybox" true
      "$arca" doctor "$kind" >/dev/null && fail "arca doctor $kind: expected status 1"
    fi
  done
}

# Tools are fetched once and survive a kill; their QEMU takes every option of a hardware launch.
test_tools() {
  local kind first status pid
  "$arca" tools fetch > "$work/tools" 2>&1 &
  pid=$!
  sleep 3
  kill -KILL "$pid" 2>/dev/null
  { wait "$pid"; } 2>/dev/null
  first=$("$arca" tools fetch 2>"$work/stderr") || fail "arca tools fetch: $(tail -2 "$work/stderr")"
  [ "$("$arca" tools fetch 2>&1)" = "$first" ] || fail "arca tools fetch fetched again"
  "$arca" tools list | jq -e '.packages | all(.sha256 | length == 64)' >/dev/null || fail "arca tools list"
  [ "$(ls -A "$ARCA_DATA/tools" | grep -c -e ^tree -e ^.new)" = 1 ] || fail "left: $(ls -A "$ARCA_DATA/tools")"
  for kind in snp sev-es sev tdx; do
    "$arca" doctor --try "$kind" > "$work/tried" 2>&1
    status=$?
    [ "$status" -le 1 ] || fail "QEMU refused an option of $kind: $(cat "$work/tried")"
  done
}

# The TDX quote of a run shows what arca measure says, under the simulated root and no other.
test_tdx() {
  local vendor=$ARCA_DATA/simulated-intel
  run 0 quoted --tee sim-tdx --evidence "$work/quote" "$busybox" echo quoted
  "$arca" measure --json --tee sim-tdx "$busybox" echo quoted > "$work/measured" || fail "arca measure"
  local judge=("$arca" attest verify "$work/quote" --collateral "$vendor/collateral/tdx"
    --workload "$(jq -r .workloadDigest "$work/measured")"
    --measurement "$(jq -r .platformMeasurement "$work/measured")")
  "${judge[@]}" --root "$vendor/root.der" --dangerously-accept-simulated-evidence > "$work/verdict" ||
    fail "the quote was refused: $(grep -E '^(NOT|failed)' "$work/verdict")"
  grep -q '^simulated' "$work/verdict" || fail "the verdict does not say simulated"
  "${judge[@]}" > "$work/verdict" && fail "the quote was accepted under Intel's roots"
  "${judge[@]}" --root "$vendor/root.der" > "$work/verdict" && fail "simulation was accepted unasked"
  "$arca" measure --json --tee sim-tdx --cpus 2 "$busybox" echo quoted > "$work/other"
  "$arca" attest verify "$work/quote" --collateral "$vendor/collateral/tdx" --root "$vendor/root.der" \
    --dangerously-accept-simulated-evidence \
    --measurement "$(jq -r .platformMeasurement "$work/other")" > "$work/verdict" &&
    fail "another platform measurement was accepted"
}

# The stand-in for an enclave runs ordinary images, and its quote shows what arca measure says. What
# runs through Gramine is Tests/Conformance/gramine.py's matter.
test_sgx() {
  local -x ARCA_GRAMINE=
  local vendor=$ARCA_DATA/simulated-intel other
  run 0 quoted --tee sim-sgx --evidence "$work/quote" "$busybox" echo quoted
  "$arca" measure --json --tee sim-sgx "$busybox" echo quoted > "$work/measured" || fail "arca measure"
  [ "$(jq -r .workloadDigest "$work/measured")" = "$("$arca" measure --json "$busybox" echo quoted | jq -r .workloadDigest)" ] ||
    fail "the workload digest depends on the kind of TEE"
  local judge=("$arca" attest verify "$work/quote" --collateral "$vendor/collateral/sgx"
    --workload "$(jq -r .workloadDigest "$work/measured")")
  local measured=(--measurement "$(jq -r .platformMeasurement "$work/measured")")
  local simulated=(--root "$vendor/root.der" --dangerously-accept-simulated-evidence)
  "${judge[@]}" "${measured[@]}" "${simulated[@]}" > "$work/verdict" ||
    fail "the quote was refused: $(grep -E '^(NOT|failed)' "$work/verdict")"
  grep -q '^simulated' "$work/verdict" || fail "the verdict does not say simulated"
  "${judge[@]}" "${measured[@]}" > "$work/verdict" && fail "the quote was accepted under Intel's roots"
  "${judge[@]}" "${measured[@]}" --root "$vendor/root.der" > "$work/verdict" &&
    fail "simulation was accepted unasked"
  "${judge[@]}" "${simulated[@]}" > "$work/verdict" && fail "a workload was accepted that nothing binds"
  other=$("$arca" measure --json --tee sim-sgx "$busybox" echo other | jq -r .platformMeasurement)
  "${judge[@]}" "${simulated[@]}" --measurement "$other" > "$work/verdict" &&
    fail "another workload's MRENCLAVE was accepted"
  run 6 '2 threes' --tee sim-sgx "oci:$images/debian" bash -c \
    'python3 -c "print(1 + 1, \"threes\")"; exit 6'
  run 0 $'PONG\nvalue' --tee sim-sgx "oci:$images/redis" bash -c \
    'redis-server --save "" --port 0 --unixsocket /tmp/redis --daemonize yes >/dev/null
     until redis-cli -s /tmp/redis ping 2>/dev/null; do busybox sleep 0.2; done
     redis-cli -s /tmp/redis set key value >/dev/null; redis-cli -s /tmp/redis get key'
  run 23 '*' --tee sim-sgx "oci:$images/scratch"
  run 0 '1234 99' --tee sim-sgx --user 1234:99 "$busybox" sh -c 'echo $(id -u) $(id -g)'
  run 127 '*' --tee sim-sgx --entrypoint /nothing "$busybox"
  run 126 '*' --tee sim-sgx --entrypoint /etc/passwd "oci:$images/debian"
  run 137 '*' --tee sim-sgx "$busybox" sh -c 'kill -9 $$'
  run 1 '*' --tee sim-sgx "$busybox" touch /changed
  [ "$(echo text | "$arca" run --rm -i --tee sim-sgx "$busybox" cat 2>"$work/stderr")" = text ] ||
    fail "standard input: $(tail -2 "$work/stderr")"
  refused "an enclave's threads" --tee sim-sgx --cpus 2 "$busybox" true
  # Real enclaves need what this machine lacks, and signing them needs Gramine: both are named.
  "$arca" doctor --json sgx > "$work/doctor" ||
    refused "sgx: needs $(jq -r '[.kinds[0].findings[] | select(.isMet | not)][0].requirement' "$work/doctor")" \
      --tee sgx "$busybox" true
  "$arca" sgx key --output "$work/key.pem" || fail "arca sgx key"
  "$arca" sgx sign --key "$work/key.pem" --output "$work/enclave" "$busybox" true 2>"$work/stderr" &&
    fail "an enclave was signed without Gramine"
  grep -q 'sgx: needs Gramine' "$work/stderr" || fail "arca sgx sign: $(tail -1 "$work/stderr")"
  "$arca" tcb --tee sim-sgx --json "$busybox" true > "$work/tcb" || fail "arca tcb of an enclave"
  [ "$(jq -c '[(.booted | map(.name)), (.image.files | map(.name) | index("/usr/bin/busybox") != null),
    .kernelCommandLine]' "$work/tcb")" = '[["arca-init","Gramine manifest"],true,""]' ] ||
    fail "what is in an enclave: $(jq -c 'del(.image)' "$work/tcb")"
  other=$("$arca" run -d --tee sim-sgx "$busybox" sh -c 'trap "exit 9" TERM; while :; do sleep 0.1; done' 2>/dev/null)
  "$arca" stop "$other" >/dev/null || fail "arca stop of an enclave"
  "$arca" ps --all 2>/dev/null | grep "$other" | grep -qF 'exited (9)' || fail "the signal did not reach the workload: $("$arca" ps --all)"
  "$arca" rm "$other" >/dev/null
  "$arca" run -d --tee sim-sgx --entrypoint /nothing "$busybox" >/dev/null 2>"$work/stderr"
  [ $? = 127 ] || fail "a program that is not there, detached: $(tail -1 "$work/stderr")"
  # The workload has nothing of the launcher's: neither its root nor the right to leave its own.
  run 1 $'CapEff:\t00000000000000cb' --tee sim-sgx "$busybox" sh -c \
    'grep CapEff /proc/self/status; ls /proc/1/root/arca/key'
  # A file that is not the image's any more is named, and nothing runs.
  local unpacked=("$ARCA_DATA"/images/rootfs/*/unpacked/root/usr/bin/busybox)
  printf x | tee -a "${unpacked[@]}" >/dev/null
  refused 'rootFilesystemChanged: /usr/bin/busybox' --tee sim-sgx "$busybox" true
  truncate -s -1 "${unpacked[@]}"
  run 0 mended --tee sim-sgx "$busybox" echo mended
  # The program that is run is the release's, or nothing runs.
  mkdir -p "$work/lib" && cp -a "$library/." "$work/lib/" && printf x >> "$work/lib/guest/arca-init"
  ARCA_LIB=$work/lib refused kernelChanged --tee sim-sgx "$busybox" true
}

# judged STATUS TEXT ARGUMENT...: arca attest verify of the evidence exits and says so.
judged() {
  local status=$1 text=$2 code
  shift 2
  "$arca" attest verify "$work/evidence" --root "$ARCA_DATA/simulated-amd/ark.der" "$@" \
    > "$work/verdict" 2>&1
  code=$?
  [ "$code" = "$status" ] || fail "attest verify $*: status $code, expected $status: $(tail -3 "$work/verdict")"
  grep -q "$text" "$work/verdict" || fail "attest verify $*: expected $text: $(tail -3 "$work/verdict")"
}

test_attest() {
  local digest platform
  run 0 '*' --evidence "$work/evidence" "$busybox" true
  "$arca" measure --json "$busybox" true > "$work/measured" || fail "arca measure"
  digest=$(jq -r .workloadDigest "$work/measured") platform=$(jq -r .platformMeasurement "$work/measured")
  jq -n --arg workload "$digest" --arg platform "$platform" '{
    identifier: "test", tee: ["snp"], platform: [$platform], workload: [$workload], report_data: "any",
    signer: "any", vmpl: [0], chip_id: "any", migratable: "any", minimum_tcb: {},
    accepted_statuses: ["UpToDate"], advisories: "any", dangerously_accept_debug: false,
    dangerously_accept_simulated_evidence: true,
    dangerously_accept_missing_revocation_lists: false}' > "$work/policy"
  judged 0 '^trusted' --policy "$work/policy"
  jq '.workload = ["00"]' "$work/policy" > "$work/other" && judged 1 workload --policy "$work/other"
  jq 'del(.vmpl)' "$work/policy" > "$work/other" && judged 2 vmpl --policy "$work/other"
  judged 1 simulated
  judged 1 report_data --policy "$work/policy" --nonce 00
  head -c 1184 "$work/evidence" > "$work/report" && tail -c +1185 "$work/evidence" > "$work/table"
  cp "$work/report" "$work/evidence"
  judged 2 missing --policy "$work/policy"
  judged 0 '^trusted' --policy "$work/policy" --certificate-table "$work/table"
  cat "$work/report" "$work/table" > "$work/evidence"
  "$arca" attest show "$work/evidence" | grep -q 'simulated TEE' || fail "attest show hides the simulation"
}

# What is there of containers: control groups, the processes in them, Arca's own, mounts, files.
present() {
  local group
  for group in /sys/fs/cgroup/{,*/}arca-*; do
    [ -d "$group" ] && echo "control group $group" && sed 's/^/process /' "$group/cgroup.procs"
  done
  ps -eo pid=,comm= | grep -E ' (arca|launcher|crun|qemu-system-x86)$'
  grep -F "$work" /proc/self/mountinfo
  # A newer crun keeps the filters of calls that it compiled.
  find "$ARCA_STATE" -mindepth 2 -not -name lock -not -path '*/oci/.cache*' 2>/dev/null
}

# victim KIND PID: a process of the run that began as PID; one of this test's own containers only.
victim() {
  local id
  id=$(ls "$ARCA_STATE/containers" 2>/dev/null | grep -v '^\.' | head -n 1)
  case $1 in
    arca) pgrep -P "$2" | head -n 1 ;;
    crun) pgrep -f -- "--root $ARCA_STATE/oci .*run" | head -n 1 ;;
    inside) [ -n "$id" ] && cat /sys/fs/cgroup/{pids,.}/"arca-$id/cgroup.procs" 2>/dev/null | shuf -n 1 ;;
  esac
}

test_soak() {
  local runs=${ARCA_SOAK_RUNS:-20} killed=0 i pid left target kinds=(none arca crun inside inside)
  present > "$work/before"
  for i in $(seq "$runs"); do
    timeout 120 "$arca" run --rm --name "soak$i" "$busybox" sleep 2 >/dev/null 2>&1 &
    pid=$!
    sleep "$((RANDOM % 5)).$((RANDOM % 10))"
    target=$(victim "${kinds[i % 5]}" "$pid")
    [ -n "$target" ] && kill -KILL "$target" 2>/dev/null && killed=$((killed + 1))
    { wait "$pid"; } 2>/dev/null
  done
  [ "$killed" -ge $((runs / 3)) ] || fail "only $killed of $runs runs had a process killed"
  sleep 2
  "$arca" ps -a >/dev/null
  left=$(present | grep -vxFf "$work/before")
  [ -z "$left" ] || fail "left after $runs runs, $killed of them killed: $left"
}

test_crowd() {
  local count=${ARCA_CROWD:-100} i pids=()
  for i in $(seq "$count"); do
    "$arca" run --rm --memory 128m "$busybox" echo "container $i" > "$work/crowd$i" 2>&1 &
    pids[i]=$!
  done
  for i in $(seq "$count"); do
    wait "${pids[i]}" || fail "container $i of $count: status $?: $(tail -n 1 "$work/crowd$i")"
    grep -qx "container $i" "$work/crowd$i" || fail "container $i printed: $(cat "$work/crowd$i")"
  done
}

bash "$here/images/make-images.sh" "$images" || { echo "the test images could not be made" >&2; exit 1; }
tests=("$@")
[ $# -gt 0 ] || tests=(images streams terminal life silent manifest folders outer upgrade tamper identity attest tdx sgx hardware tools)
for name in "${tests[@]}"; do
  echo "integration: $name"
  "test_$name"
done
[ "$failures" = 0 ] && echo "integration: passed" && exit 0
echo "integration: $failures failures" >&2
exit 1
