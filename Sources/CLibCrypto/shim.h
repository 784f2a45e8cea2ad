#ifndef DRAYAGE_CLIBCRYPTO_H
#define DRAYAGE_CLIBCRYPTO_H

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#endif
