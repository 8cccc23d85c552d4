// The cryptography of a key broker's client, by Mbed TLS: one TLS 1.3 connection, and the key that
// secrets are encrypted to. Every function returns 0 or more, or a negative error of Mbed TLS.
#pragma once
#include <stddef.h>
#include <stdint.h>

// More bytes of the network are needed first (arca_tls_feed), or the waiting ones must be taken.
enum { ARCA_TLS_WAITS = -1 };

// Starts a connection to `host` anew; nothing of an earlier one is kept.
int arca_tls_start(const char *host);
// Takes bytes that came from the network; how many there was room for.
size_t arca_tls_feed(const uint8_t *bytes, size_t count);
// Hands out bytes that are to go to the network; how many.
size_t arca_tls_take(uint8_t *bytes, size_t count);
int arca_tls_handshake(void);
// SHA-256 of the SubjectPublicKeyInfo that the server has proved to own; after the handshake.
int arca_tls_peer_key(uint8_t digest[32]);
long arca_tls_write(const uint8_t *bytes, size_t count);
// 0 once the server has closed the connection.
long arca_tls_read(uint8_t *bytes, size_t count);
void arca_tls_end(void);

void arca_sha256(const uint8_t *bytes, size_t count, uint8_t digest[32]);
// HMAC with SHA-256.
void arca_hmac(const uint8_t *key, size_t key_count, const uint8_t *message, size_t count,
               uint8_t code[32]);
int arca_sha384(const uint8_t *bytes, size_t count, uint8_t digest[48]);
// Makes the TEE's key pair (P-256) anew and gives the public point: x, then y.
int arca_key_make(uint8_t point[64]);
void arca_key_wipe(void);
// Decrypts a JWE (ECDH-ES+A256KW, A256GCM) that is encrypted to the key; `plaintext` has `count`.
int arca_jwe_open(const uint8_t ephemeral[64], const uint8_t wrapped[40], const uint8_t iv[12],
                  const uint8_t *header, size_t header_count, const uint8_t *ciphertext,
                  size_t count, const uint8_t tag[16], uint8_t *plaintext);
// Zeroes memory in a way that no compiler leaves out.
void arca_wipe(void *bytes, size_t count);
