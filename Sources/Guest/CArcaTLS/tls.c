#include "CArcaTLS.h"
#include <psa/crypto.h>
#include <mbedtls/psa_util.h>
#include <mbedtls/sha256.h>
#include <mbedtls/ssl.h>
#include <string.h>
#include <sys/random.h>

#define BUFFER_BYTES 32768

struct buffer {
  uint8_t bytes[BUFFER_BYTES];
  size_t start, end;
};

static struct buffer incoming, outgoing;
static mbedtls_ssl_config configuration;
static mbedtls_ssl_context connection;

static size_t put(struct buffer *buffer, const uint8_t *bytes, size_t count) {
  if (buffer->start == buffer->end) buffer->start = buffer->end = 0;
  size_t room = BUFFER_BYTES - buffer->end;
  if (count > room) count = room;
  memcpy(buffer->bytes + buffer->end, bytes, count);
  buffer->end += count;
  return count;
}

static size_t get(struct buffer *buffer, uint8_t *bytes, size_t count) {
  if (count > buffer->end - buffer->start) count = buffer->end - buffer->start;
  memcpy(bytes, buffer->bytes + buffer->start, count);
  buffer->start += count;
  return count;
}

static int send_bytes(void *context, const unsigned char *bytes, size_t count) {
  (void)context;
  size_t taken = put(&outgoing, bytes, count);
  return taken > 0 ? (int)taken : MBEDTLS_ERR_SSL_WANT_WRITE;
}

static int receive_bytes(void *context, unsigned char *bytes, size_t count) {
  (void)context;
  size_t taken = get(&incoming, bytes, count);
  return taken > 0 ? (int)taken : MBEDTLS_ERR_SSL_WANT_READ;
}

psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *context,
                                             uint8_t *output, size_t size, size_t *length) {
  (void)context;
  // At most 256 bytes, which getrandom(2) gives whole.
  size_t count = size > 256 ? 256 : size;
  if (getrandom(output, count, 0) != (ssize_t)count) return PSA_ERROR_INSUFFICIENT_ENTROPY;
  *length = count;
  return PSA_SUCCESS;
}

static long waits(int result) {
  return result == MBEDTLS_ERR_SSL_WANT_READ || result == MBEDTLS_ERR_SSL_WANT_WRITE
             ? ARCA_TLS_WAITS
             : result;
}

int arca_tls_start(const char *host) {
  arca_tls_end();
  if (psa_crypto_init() != PSA_SUCCESS) return MBEDTLS_ERR_SSL_HW_ACCEL_FAILED;
  mbedtls_ssl_config_init(&configuration);
  mbedtls_ssl_init(&connection);
  int result =
      mbedtls_ssl_config_defaults(&configuration, MBEDTLS_SSL_IS_CLIENT,
                                  MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
  if (result != 0) return result;
  // No authority vouches for the server: that it owns the key of its certificate is always proved
  // in the handshake, and the caller compares that key with the manifest's.
  mbedtls_ssl_conf_authmode(&configuration, MBEDTLS_SSL_VERIFY_NONE);
  mbedtls_ssl_conf_rng(&configuration, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
  result = mbedtls_ssl_setup(&connection, &configuration);
  if (result != 0) return result;
  mbedtls_ssl_set_bio(&connection, NULL, send_bytes, receive_bytes, NULL);
  return mbedtls_ssl_set_hostname(&connection, host);
}

size_t arca_tls_feed(const uint8_t *bytes, size_t count) { return put(&incoming, bytes, count); }

size_t arca_tls_take(uint8_t *bytes, size_t count) { return get(&outgoing, bytes, count); }

int arca_tls_handshake(void) { return waits(mbedtls_ssl_handshake(&connection)); }

int arca_tls_peer_key(uint8_t digest[32]) {
  const mbedtls_x509_crt *peer = mbedtls_ssl_get_peer_cert(&connection);
  if (peer == NULL) return MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE;
  return mbedtls_sha256(peer->pk_raw.p, peer->pk_raw.len, digest, 0);
}

long arca_tls_write(const uint8_t *bytes, size_t count) {
  return waits(mbedtls_ssl_write(&connection, bytes, count));
}

long arca_tls_read(uint8_t *bytes, size_t count) {
  int result;
  do {
    result = mbedtls_ssl_read(&connection, bytes, count);
    // A session ticket is no use to a client that keeps none.
  } while (result == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET);
  return result == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY ? 0 : waits(result);
}

void arca_tls_end(void) {
  // Both may be zero, as before the first start, or freed already.
  mbedtls_ssl_free(&connection);
  mbedtls_ssl_config_free(&configuration);
  incoming.start = incoming.end = outgoing.start = outgoing.end = 0;
}
