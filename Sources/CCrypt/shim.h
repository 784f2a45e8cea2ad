#ifndef DRAYAGE_CCRYPT_H
#define DRAYAGE_CCRYPT_H

#include <crypt.h>

#endif
