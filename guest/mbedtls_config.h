/* Mbed TLS as arca-init uses it: a TLS 1.3 client, and what decrypts a key broker's answers.
 * Everything that is not named here is off: TLS 1.2 and 1.1, servers, sessions and tickets, early
 * data, DTLS, PEM, files, sockets, and every algorithm besides these. */
#pragma once

/* The protocol: a client that trades ephemeral keys and keeps nothing for a next connection. */
#define MBEDTLS_SSL_TLS_C
#define MBEDTLS_SSL_CLI_C
#define MBEDTLS_SSL_PROTO_TLS1_3
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ENABLED
#define MBEDTLS_SSL_KEEP_PEER_CERTIFICATE   /* its SubjectPublicKeyInfo is compared with the pins */
#define MBEDTLS_SSL_SERVER_NAME_INDICATION  /* brokers behind a shared address choose by it */
#define MBEDTLS_SSL_IN_CONTENT_LEN 16384    /* a server may fill its records */
#define MBEDTLS_SSL_OUT_CONTENT_LEN 4096    /* ours need not be as large, and buffers are memory */

/* TLS 1.3 takes its primitives from PSA; keys are volatile and randomness is the kernel's. */
#define MBEDTLS_PSA_CRYPTO_C
#define MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG     /* getrandom(2); no entropy pool of its own */
#define MBEDTLS_PSA_KEY_SLOT_COUNT 16       /* a handshake has fewer keys alive at once */

/* Cipher suites: AES-128-GCM and AES-256-GCM, which every TLS 1.3 server has. */
#define MBEDTLS_AES_C
#define MBEDTLS_GCM_C
#define MBEDTLS_CIPHER_C
#define MBEDTLS_HAVE_ASM
#define MBEDTLS_AESNI_C                     /* constant in time and fast; SNP and TDX have AES-NI */
#define MBEDTLS_NIST_KW_C                   /* A256KW of the broker's JWE */

/* Hashes: SHA-256 for a suite, pins and key derivation; SHA-384 for a suite and REPORT_DATA. */
#define MBEDTLS_MD_C
#define MBEDTLS_SHA256_C
#define MBEDTLS_SHA384_C
#define MBEDTLS_SHA512_C                    /* RSA-PSS of servers that prefer SHA-512 */
#define MBEDTLS_HKDF_C                      /* the key schedule */

/* Key exchange: P-256, which is also the curve of the key that secrets are encrypted to. */
#define MBEDTLS_BIGNUM_C
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_ECDH_C

/* Servers' keys: ECDSA on P-256 and P-384, and RSA, whose signatures are PSS in TLS 1.3. */
#define MBEDTLS_ECDSA_C
#define MBEDTLS_ECP_DP_SECP384R1_ENABLED
#define MBEDTLS_RSA_C
#define MBEDTLS_PKCS1_V21
#define MBEDTLS_X509_RSASSA_PSS_SUPPORT
#define MBEDTLS_PKCS1_V15                   /* certificates of RSA keys are mostly signed so */

/* Certificates are parsed for their key alone; the pin is what authenticates it. */
#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_OID_C
#define MBEDTLS_PK_C
#define MBEDTLS_PK_PARSE_C
#define MBEDTLS_X509_USE_C
#define MBEDTLS_X509_CRT_PARSE_C

#define MBEDTLS_PLATFORM_C                  /* the C library's memory; PSA asks for it */
