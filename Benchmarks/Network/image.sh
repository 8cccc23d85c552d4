#!/usr/bin/env bash
# Makes the image that Benchmarks/Network runs, where it is missing or older than its sources: nginx, and
# our own program beside it.
#
#   image.sh LAYOUT
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
layout=$1
[ "$layout/index.json" -nt "$here/network.c" ] && [ "$layout/index.json" -nt "$0" ] && exit
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/usr/bin" "$work/usr/share/page" "$(dirname "$layout")"
gcc -static -O2 -Wall -Wextra -o "$work/usr/bin/network" "$here/network.c"
head -c 3072 /dev/zero | tr '\0' x > "$work/usr/share/page/index.html"
cat > "$work/usr/share/page/nginx.conf" <<'END'
daemon off;
user root;
worker_processes 1;
pid /tmp/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  keepalive_requests 1000000;
  sendfile on;
  tcp_nopush on;
  client_body_temp_path /tmp/body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;
  server {
    listen 80;
    root /usr/share/page;
  }
}
END
"$here/../image.sh" "$layout" '{"Entrypoint":["/usr/bin/network"]}' "$work" \
  nginx libpcre2-8-0 libssl3 zlib1g libzstd1 libcrypt1 libc6
