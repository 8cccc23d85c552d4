/// What `arca sgx manifest` prints for the smallest of images.
let goldenManifest = """
  [fs]
  mounts = [
      { type = "chroot", path = "/arca/init", uri = "file:/arca/guest/arca-init" },
      { type = "chroot", path = "/bin", uri = "file:/arca/root/usr/bin" },
      { type = "tmpfs", path = "/dev/shm" },
      { type = "tmpfs", path = "/run" },
      { type = "tmpfs", path = "/tmp" },
      { type = "tmpfs", path = "/var/tmp" },
  ]

  [fs.root]
  type = "chroot"
  uri = "file:/arca/root"

  [libos]
  entrypoint = "/arca/init"

  [loader]
  gid = 0
  uid = 0
  log_file = "/run/arca/gramine.log"

  [loader.entrypoint]
  uri = "file:/arca/gramine/libsysdb.so"
  sha256 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

  [loader.env]
  ARCA_TEE = "sgx"
  ARCA_WORKLOAD = "DIGEST"

  [sgx]
  debug = false
  edmm_enable = false
  enable_stats = false
  enclave_size = "1G"
  isvprodid = 0
  isvsvn = 0
  max_threads = 32
  remote_attestation = "dcap"
  use_exinfo = false

  [[sgx.trusted_files]]
  uri = "file:/arca/guest/arca-init"
  sha256 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

  [[sgx.trusted_files]]
  uri = "file:/arca/root/etc/motd"
  sha256 = "0000000000000000000000000000000000000000000000000000000000000000"

  [[sgx.trusted_files]]
  uri = "file:/arca/root/usr/bin/dash"
  sha256 = "0202020202020202020202020202020202020202020202020202020202020202"

  [[sgx.trusted_files]]
  uri = "file:/arca/root/usr/bin/sh"
  sha256 = "0202020202020202020202020202020202020202020202020202020202020202"

  [sgx.cpu_features]
  avx = "unspecified"
  avx512 = "unspecified"
  amx = "unspecified"
  mpx = "disabled"
  pkru = "disabled"

  [sys]
  enable_sigterm_injection = true

  [sys.brk]
  max_size = "64M"

  [sys.stack]
  size = "8M"

  [sys.fds]
  limit = 16384

  """
