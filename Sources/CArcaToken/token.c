#include "CArcaToken.h"

#include <dlfcn.h>
#include <p11-kit-1/p11-kit/pkcs11.h>
#include <stdlib.h>
#include <string.h>

struct arca_token {
  void *module;
  CK_FUNCTION_LIST_PTR functions;
  CK_SESSION_HANDLE session;
};

// A token's label is 32 bytes, filled up with blanks.
static int label_is(const CK_UTF8CHAR found[32], const char *label) {
  size_t length = strlen(label);
  if (length > 32 || memcmp(found, label, length) != 0) return 0;
  for (size_t index = length; index < 32; index++)
    if (found[index] != ' ') return 0;
  return 1;
}

static CK_RV find_slot(CK_FUNCTION_LIST_PTR functions, const char *label, CK_SLOT_ID *slot) {
  CK_SLOT_ID slots[64];
  CK_ULONG count = sizeof slots / sizeof slots[0];
  CK_RV result = functions->C_GetSlotList(CK_TRUE, slots, &count);
  if (result != CKR_OK) return result;
  for (CK_ULONG index = 0; index < count; index++) {
    CK_TOKEN_INFO info;
    if (functions->C_GetTokenInfo(slots[index], &info) == CKR_OK && label_is(info.label, label)) {
      *slot = slots[index];
      return CKR_OK;
    }
  }
  return ARCA_TOKEN_NO_TOKEN;
}

static CK_RV open_session(struct arca_token *token, const char *label, const uint8_t *pin,
                          size_t pin_length) {
  CK_C_INITIALIZE_ARGS arguments = {.flags = CKF_OS_LOCKING_OK};
  CK_SLOT_ID slot = 0;
  CK_RV result = token->functions->C_Initialize(&arguments);
  if (result != CKR_OK && result != CKR_CRYPTOKI_ALREADY_INITIALIZED) return result;
  result = find_slot(token->functions, label, &slot);
  if (result != CKR_OK) return result;
  result = token->functions->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
                                           &token->session);
  if (result != CKR_OK) return result;
  result = token->functions->C_Login(token->session, CKU_USER, (CK_UTF8CHAR_PTR)pin, pin_length);
  return result == CKR_USER_ALREADY_LOGGED_IN ? CKR_OK : result;
}

unsigned long arca_token_open(const char *module, const char *label, const uint8_t *pin,
                              size_t pin_length, struct arca_token **out) {
  struct arca_token *token = calloc(1, sizeof *token);
  if (token == NULL) return ARCA_TOKEN_NO_MEMORY;
  token->module = dlopen(module, RTLD_NOW | RTLD_LOCAL);
  CK_C_GetFunctionList list =
      token->module ? (CK_C_GetFunctionList)dlsym(token->module, "C_GetFunctionList") : NULL;
  if (list == NULL || list(&token->functions) != CKR_OK || token->functions == NULL) {
    free(token);
    return ARCA_TOKEN_NO_MODULE;
  }
  CK_RV result = open_session(token, label, pin, pin_length);
  if (result != CKR_OK) {
    arca_token_close(token);
    return result;
  }
  *out = token;
  return CKR_OK;
}

// The module stays loaded and initialized: another part of the process may use it.
void arca_token_close(struct arca_token *token) {
  if (token == NULL) return;
  if (token->session != 0) token->functions->C_CloseSession(token->session);
  free(token);
}

static CK_RV read_label(struct arca_token *token, CK_OBJECT_HANDLE object,
                        char label[ARCA_TOKEN_LABEL_MAX]) {
  memset(label, 0, ARCA_TOKEN_LABEL_MAX);
  CK_ATTRIBUTE attribute = {CKA_LABEL, label, ARCA_TOKEN_LABEL_MAX - 1};
  CK_RV result = token->functions->C_GetAttributeValue(token->session, object, &attribute, 1);
  // A longer label is none of ours.
  if (result != CKR_OK) memset(label, 0, ARCA_TOKEN_LABEL_MAX);
  return result == CKR_BUFFER_TOO_SMALL ? CKR_OK : result;
}

unsigned long arca_token_keys(struct arca_token *token, const char *prefix,
                              struct arca_token_key *keys, size_t max, size_t *count) {
  CK_OBJECT_CLASS class = CKO_SECRET_KEY;
  CK_KEY_TYPE type = CKK_AES;
  CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &class, sizeof class}, {CKA_KEY_TYPE, &type, sizeof type}};
  CK_RV result = token->functions->C_FindObjectsInit(token->session, wanted, 2);
  if (result != CKR_OK) return result;
  *count = 0;
  while (result == CKR_OK && *count < max) {
    CK_OBJECT_HANDLE object;
    CK_ULONG found = 0;
    result = token->functions->C_FindObjects(token->session, &object, 1, &found);
    if (result != CKR_OK || found == 0) break;
    struct arca_token_key *key = &keys[*count];
    result = read_label(token, object, key->label);
    key->handle = object;
    if (result == CKR_OK && strncmp(key->label, prefix, strlen(prefix)) == 0) (*count)++;
  }
  token->functions->C_FindObjectsFinal(token->session);
  return result;
}

unsigned long arca_token_generate(struct arca_token *token, const char *label) {
  CK_OBJECT_CLASS class = CKO_SECRET_KEY;
  CK_KEY_TYPE type = CKK_AES;
  CK_ULONG length = 32;
  CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
  CK_MECHANISM mechanism = {CKM_AES_KEY_GEN, NULL, 0};
  CK_ATTRIBUTE template[] = {
      {CKA_CLASS, &class, sizeof class},   {CKA_KEY_TYPE, &type, sizeof type},
      {CKA_VALUE_LEN, &length, sizeof length}, {CKA_LABEL, (void *)label, strlen(label)},
      {CKA_TOKEN, &yes, sizeof yes},       {CKA_PRIVATE, &yes, sizeof yes},
      {CKA_SENSITIVE, &yes, sizeof yes},   {CKA_EXTRACTABLE, &no, sizeof no},
      {CKA_ENCRYPT, &yes, sizeof yes},     {CKA_DECRYPT, &yes, sizeof yes},
      {CKA_SIGN, &no, sizeof no},          {CKA_VERIFY, &no, sizeof no},
      {CKA_WRAP, &no, sizeof no},          {CKA_UNWRAP, &no, sizeof no},
  };
  CK_OBJECT_HANDLE object;
  return token->functions->C_GenerateKey(token->session, &mechanism, template,
                                         sizeof template / sizeof template[0], &object);
}

unsigned long arca_token_crypt(struct arca_token *token, unsigned long handle, int encrypt,
                               const uint8_t iv[ARCA_TOKEN_IV], const uint8_t *bound,
                               size_t bound_length, const uint8_t *input, size_t input_length,
                               uint8_t *output, size_t *output_length) {
  // PKCS#11 2.40, section 2.12.3: IV, its bytes, its bits, additional data, its bytes, tag bits.
  // Debian 12 and 13 have other names for them.
  CK_GCM_PARAMS parameters = {(CK_BYTE_PTR)iv,    ARCA_TOKEN_IV, ARCA_TOKEN_IV * 8,
                              (CK_BYTE_PTR)bound, bound_length,  ARCA_TOKEN_TAG * 8};
  CK_MECHANISM mechanism = {CKM_AES_GCM, &parameters, sizeof parameters};
  CK_ULONG length = *output_length;
  CK_RV result = encrypt
                     ? token->functions->C_EncryptInit(token->session, &mechanism, handle)
                     : token->functions->C_DecryptInit(token->session, &mechanism, handle);
  if (result != CKR_OK) return result;
  result = encrypt ? token->functions->C_Encrypt(token->session, (CK_BYTE_PTR)input, input_length,
                                                 output, &length)
                   : token->functions->C_Decrypt(token->session, (CK_BYTE_PTR)input, input_length,
                                                 output, &length);
  *output_length = length;
  return result;
}
