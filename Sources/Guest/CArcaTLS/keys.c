#include "CArcaTLS.h"
#include <mbedtls/ecdh.h>
#include <mbedtls/gcm.h>
#include <mbedtls/nist_kw.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/sha256.h>
#include <mbedtls/sha512.h>
#include <psa/crypto.h>
#include <string.h>

static mbedtls_ecp_keypair tee_key;

static int random_bytes(void *context, unsigned char *bytes, size_t count) {
  (void)context;
  return psa_generate_random(bytes, count);
}

void arca_wipe(void *bytes, size_t count) { mbedtls_platform_zeroize(bytes, count); }

int arca_sha384(const uint8_t *bytes, size_t count, uint8_t digest[48]) {
  return mbedtls_sha512(bytes, count, digest, 1);
}

int arca_key_make(uint8_t point[64]) {
  uint8_t encoded[65];
  size_t length;
  arca_key_wipe();
  if (psa_crypto_init() != PSA_SUCCESS) return MBEDTLS_ERR_ECP_RANDOM_FAILED;
  int result = mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, &tee_key, random_bytes, NULL);
  if (result == 0)
    result = mbedtls_ecp_write_public_key(&tee_key, MBEDTLS_ECP_PF_UNCOMPRESSED, &length, encoded,
                                          sizeof encoded);
  if (result == 0) memcpy(point, encoded + 1, 64);
  return result;
}

void arca_key_wipe(void) { mbedtls_ecp_keypair_free(&tee_key); }

// Z of ECDH with the sender's ephemeral key, which must be a point of the curve.
static int agree(const uint8_t ephemeral[64], uint8_t shared[32]) {
  mbedtls_ecp_keypair peer;
  mbedtls_mpi z;
  uint8_t encoded[65] = {4};
  memcpy(encoded + 1, ephemeral, 64);
  mbedtls_ecp_keypair_init(&peer);
  mbedtls_mpi_init(&z);
  int result = mbedtls_ecp_group_load(&peer.MBEDTLS_PRIVATE(grp), MBEDTLS_ECP_DP_SECP256R1);
  if (result == 0)
    result = mbedtls_ecp_point_read_binary(&peer.MBEDTLS_PRIVATE(grp), &peer.MBEDTLS_PRIVATE(Q),
                                           encoded, sizeof encoded);
  if (result == 0)
    result = mbedtls_ecp_check_pubkey(&peer.MBEDTLS_PRIVATE(grp), &peer.MBEDTLS_PRIVATE(Q));
  if (result == 0)
    result = mbedtls_ecdh_compute_shared(&peer.MBEDTLS_PRIVATE(grp), &z, &peer.MBEDTLS_PRIVATE(Q),
                                         &tee_key.MBEDTLS_PRIVATE(d), random_bytes, NULL);
  if (result == 0) result = mbedtls_mpi_write_binary(&z, shared, 32);
  mbedtls_mpi_free(&z);
  mbedtls_ecp_keypair_free(&peer);
  return result;
}

// Concat KDF (RFC 7518, section 4.6.2) with empty PartyUInfo and PartyVInfo: one round of SHA-256
// over the counter, Z, and AlgorithmID, PartyUInfo, PartyVInfo and SuppPubInfo (256 bits).
static int derive(const uint8_t shared[32], uint8_t key[32]) {
  static const uint8_t info[] = "\0\0\0\x0e" "ECDH-ES+A256KW" "\0\0\0\0" "\0\0\0\0" "\0\0\1";
  uint8_t input[4 + 32 + sizeof info] = {0, 0, 0, 1};
  memcpy(input + 4, shared, 32);
  // The string's own NUL is the last byte of SuppPubInfo.
  memcpy(input + 36, info, sizeof info);
  int result = mbedtls_sha256(input, sizeof input, key, 0);
  arca_wipe(input, sizeof input);
  return result;
}

static int unwrap(const uint8_t key[32], const uint8_t wrapped[40], uint8_t content_key[32]) {
  mbedtls_nist_kw_context context;
  size_t length = 0;
  mbedtls_nist_kw_init(&context);
  int result = mbedtls_nist_kw_setkey(&context, MBEDTLS_CIPHER_ID_AES, key, 256, 0);
  if (result == 0)
    result = mbedtls_nist_kw_unwrap(&context, MBEDTLS_KW_MODE_KW, wrapped, 40, content_key, &length,
                                    32);
  mbedtls_nist_kw_free(&context);
  return result;
}

int arca_jwe_open(const uint8_t ephemeral[64], const uint8_t wrapped[40], const uint8_t iv[12],
                  const uint8_t *header, size_t header_count, const uint8_t *ciphertext,
                  size_t count, const uint8_t tag[16], uint8_t *plaintext) {
  struct {
    uint8_t shared[32], wrapping[32], content[32];
  } keys;
  mbedtls_gcm_context context;
  mbedtls_gcm_init(&context);
  int result = agree(ephemeral, keys.shared);
  if (result == 0) result = derive(keys.shared, keys.wrapping);
  if (result == 0) result = unwrap(keys.wrapping, wrapped, keys.content);
  if (result == 0)
    result = mbedtls_gcm_setkey(&context, MBEDTLS_CIPHER_ID_AES, keys.content, 256);
  if (result == 0)
    result = mbedtls_gcm_auth_decrypt(&context, count, iv, 12, header, header_count, tag, 16,
                                      ciphertext, plaintext);
  mbedtls_gcm_free(&context);
  arca_wipe(&keys, sizeof keys);
  return result;
}
