#include "CArcaTLS.h"
#include <mbedtls/gcm.h>
#include <mbedtls/md.h>
#include <mbedtls/nist_kw.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/sha256.h>
#include <mbedtls/sha512.h>
#include <psa/crypto.h>
#include <stdlib.h>
#include <string.h>

static psa_key_id_t tee_key;

void arca_wipe(void *bytes, size_t count) { mbedtls_platform_zeroize(bytes, count); }

int arca_sha384(const uint8_t *bytes, size_t count, uint8_t digest[48]) {
  return mbedtls_sha512(bytes, count, digest, 1);
}

// Nothing but memory can be lacking, and without it Swift ends the program as well.
void arca_sha256(const uint8_t *bytes, size_t count, uint8_t digest[32]) {
  if (mbedtls_sha256(bytes, count, digest, 0) != 0) abort();
}

void arca_hmac(const uint8_t *key, size_t key_count, const uint8_t *message, size_t count,
               uint8_t code[32]) {
  const mbedtls_md_info_t *hash = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
  if (mbedtls_md_hmac(hash, key, key_count, message, count, code) != 0) abort();
}

int arca_key_make(uint8_t point[64]) {
  psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
  uint8_t encoded[65];
  size_t length;
  arca_key_wipe();
  psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1));
  psa_set_key_bits(&attributes, 256);
  psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_DERIVE);
  psa_set_key_algorithm(&attributes, PSA_ALG_ECDH);
  int result = psa_crypto_init();
  if (result == 0) result = psa_generate_key(&attributes, &tee_key);
  if (result == 0) result = psa_export_public_key(tee_key, encoded, sizeof encoded, &length);
  if (result == 0) memcpy(point, encoded + 1, 64);
  return result;
}

void arca_key_wipe(void) {
  psa_destroy_key(tee_key);
  tee_key = PSA_KEY_ID_NULL;
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
  uint8_t sender[65] = {4};
  size_t length;
  mbedtls_gcm_context context;
  mbedtls_gcm_init(&context);
  memcpy(sender + 1, ephemeral, 64);
  // Z of ECDH; a key that is no point of the curve is refused.
  int result = psa_raw_key_agreement(PSA_ALG_ECDH, tee_key, sender, sizeof sender, keys.shared, 32,
                                     &length);
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
