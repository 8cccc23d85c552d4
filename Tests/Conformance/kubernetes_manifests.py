#!/usr/bin/env python3
"""Holds the Kubernetes manifests in deploy/ to Kubernetes' own schemas, and shows them to kubectl.

    kubernetes_manifests.py [KUBECTL]

kubectl asks a server which kinds there are even for --dry-run=client; one that knows the kinds of
these manifests, and nothing else, answers it here. Exit status 0: clean; 1: not; 77: it cannot
run here, which CI treats as a failure.
"""

import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading

PEER = "kubernetes-validate==1.37.0"
# The oldest and the newest that the manifests are to be right for.
VERSIONS = ["1.25", "1.37"]
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
VENV = ROOT / ".build" / "conformance-kubernetes"
MANIFESTS = sorted((ROOT / "deploy").glob("*.yaml"))
KINDS = {
    "v1": [("namespaces", "Namespace", False)],
    "apps/v1": [("daemonsets", "DaemonSet", True)],
    "node.k8s.io/v1": [("runtimeclasses", "RuntimeClass", False)],
}


def cannot_run(reason):
    print(f"kubernetes manifests: cannot run: {reason}", file=sys.stderr)
    sys.exit(1 if os.environ.get("CI") == "true" else 77)


def enter_venv():
    """Runs this again with the interpreter that has the schemas, making that first where it is absent."""
    if pathlib.Path(sys.prefix) == VENV:
        return
    python = VENV / "bin" / "python3"
    if not python.exists() or subprocess.run(
        [python, "-c", "import kubernetes_validate"], stderr=subprocess.DEVNULL
    ).returncode:
        try:
            subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
            subprocess.run([VENV / "bin" / "pip", "install", "--quiet", PEER], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            cannot_run(f"{PEER} cannot be installed ({error}); python3-venv is needed")
    os.execv(python, [str(python), __file__, *sys.argv[1:]])


def answer(path):
    """What an API server says of the kinds that it has; None where it has nothing there."""
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        groups = []
        for version in KINDS:
            if "/" in version:
                named = {"groupVersion": version, "version": version.split("/")[1]}
                groups.append({
                    "name": version.split("/")[0], "versions": [named], "preferredVersion": named})
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    version = path.removeprefix("/api/").removeprefix("/apis/")
    if version not in KINDS:
        return None
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": [
        {"name": name, "singularName": kind.lower(), "kind": kind, "namespaced": namespaced,
         "verbs": ["create", "get"]} for name, kind, namespaced in KINDS[version]]}


class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        found = answer(self.path.split("?")[0])
        body = json.dumps(found or {
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound",
            "code": 404}).encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def kubectl_says(kubectl, folder):
    """What kubectl complains of, for all manifests together."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    files = [option for path in MANIFESTS for option in ("-f", str(path))]
    done = subprocess.run(
        [kubectl, "--server", f"http://127.0.0.1:{server.server_port}", "create", *files,
         "--dry-run=client", "--validate=false", "--output=name"],
        capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", "HOME": str(folder)})
    server.shutdown()
    names = done.stdout.split()
    expected = ["daemonset.apps/arca-installer", "namespace/arca-system",
                "runtimeclass.node.k8s.io/arca"]
    if done.returncode or done.stderr or sorted(names) != expected:
        return [f"kubectl: found {' '.join(names)}, expected {' '.join(expected)}: {done.stderr}"]
    return []


def schemas_say():
    wrong = []
    for version in VERSIONS:
        done = subprocess.run(
            [pathlib.Path(sys.prefix) / "bin" / "kubernetes-validate", "--strict", "--quiet",
             "-k", version, *MANIFESTS], capture_output=True, text=True)
        if done.returncode or done.stdout.strip():
            wrong.append(f"Kubernetes {version}: {done.stdout}{done.stderr}")
    return wrong


def main():
    kubectl = sys.argv[1] if len(sys.argv) > 1 else shutil.which("kubectl")
    if not kubectl:
        cannot_run("no kubectl; install kubernetes-client of Debian, or name one")
    enter_venv()
    wrong = schemas_say() + kubectl_says(kubectl, VENV)
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    print(f"kubernetes manifests: {len(MANIFESTS)} files, {len(VERSIONS)} versions' schemas and "
          f"kubectl; {len(wrong)} complaints")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
