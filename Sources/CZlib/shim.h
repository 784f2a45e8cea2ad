#ifndef DRAYAGE_CZLIB_H
#define DRAYAGE_CZLIB_H

#include <zlib.h>

// deflateInit2 is a macro that adds the version and the size of the struct.
static inline int drayage_deflate_init_gzip(z_streamp stream, int level) {
    return deflateInit2(stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
}

#endif
