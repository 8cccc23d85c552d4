// Keys in a cryptographic token, through its PKCS#11 module (OASIS PKCS#11 2.40): AES-GCM is done
// in the token, which the keys never leave. One session; calls must not overlap.
#ifndef ARCA_TOKEN_H
#define ARCA_TOKEN_H

#include <stddef.h>
#include <stdint.h>

// Results that are no CKR value.
#define ARCA_TOKEN_NO_MODULE 0x80000001u
#define ARCA_TOKEN_NO_TOKEN 0x80000002u
#define ARCA_TOKEN_NO_MEMORY 0x80000003u

#define ARCA_TOKEN_LABEL_MAX 64
#define ARCA_TOKEN_IV 12
#define ARCA_TOKEN_TAG 16

struct arca_token;

struct arca_token_key {
  char label[ARCA_TOKEN_LABEL_MAX];
  unsigned long handle;
};

// Loads the module, finds the token by its label and logs in. 0 or why not.
unsigned long arca_token_open(const char *module, const char *label, const uint8_t *pin,
                              size_t pin_length, struct arca_token **token);
void arca_token_close(struct arca_token *token);

// AES keys whose label starts with `prefix`, at most `max`. 0 or why not.
unsigned long arca_token_keys(struct arca_token *token, const char *prefix,
                              struct arca_token_key *keys, size_t max, size_t *count);

// Makes an AES-256 key that cannot be taken out.
unsigned long arca_token_generate(struct arca_token *token, const char *label);

// AES-GCM in the token; encrypting gives the tag after the ciphertext, decrypting takes it there.
unsigned long arca_token_crypt(struct arca_token *token, unsigned long handle, int encrypt,
                               const uint8_t iv[ARCA_TOKEN_IV], const uint8_t *bound,
                               size_t bound_length, const uint8_t *input, size_t input_length,
                               uint8_t *output, size_t *output_length);

#endif
