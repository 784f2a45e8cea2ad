#ifndef DRAYAGE_CZLIB_H
#define DRAYAGE_CZLIB_H

#include <zlib.h>

// deflateInit2 and inflateInit2 are macros that add the version and the size of the struct.
static inline int drayage_deflate_init_gzip(z_streamp stream, int level) {
    return deflateInit2(stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
}

static inline int drayage_inflate_init_gzip(z_streamp stream) {
    return inflateInit2(stream, 15 + 16);
}

#endif
