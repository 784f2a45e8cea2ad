#ifndef DRAYAGE_CLIBARCHIVE_H
#define DRAYAGE_CLIBARCHIVE_H

#include <archive.h>
#include <archive_entry.h>

// AE_IFREG and its like are macros with casts, which Swift does not import.
static inline unsigned int drayage_file_type_regular(void) { return AE_IFREG; }
static inline unsigned int drayage_file_type_directory(void) { return AE_IFDIR; }
static inline unsigned int drayage_file_type_link(void) { return AE_IFLNK; }

#endif
