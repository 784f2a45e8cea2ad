#ifndef DRAYAGE_CLINUX_H
#define DRAYAGE_CLINUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Linux calls that Swift's Glibc module lacks. Each returns what the call returns; errno says why it failed.

/// fallocate(2), mode 0: reserves the space of [0, length) and makes the file that long.
int linux_fallocate(int fd, int64_t length);

/// renameat2(2) with RENAME_NOREPLACE: fails with EEXIST where `to` exists.
int linux_rename_noreplace(const char *from, const char *to);

/// Takes an exclusive lock on the whole file that belongs to the open file description (F_OFD_SETLK). Does not wait.
int linux_lock_exclusive(int fd);

/// Leaves this process's id on the file, for linux_lock_owner. Does not wait.
int linux_lock_sign(int fd);

/// The process that signed the file, 0 where nobody did or it cannot be told.
pid_t linux_lock_owner(int fd);

/// sync_file_range(2) with SYNC_FILE_RANGE_WRITE: starts write-back of the range and does not wait for it.
int linux_start_writeback(int fd, int64_t offset, int64_t length);

/// copy_file_range(2): copies up to `length` bytes within the kernel, where the file systems allow it.
ssize_t linux_copy_file_range(int from, int64_t from_offset, int to, int64_t to_offset, size_t length);

/// syncfs(2): brings to disk all of the file system that the file or the directory is on, and waits for it.
int linux_sync_file_system(int fd);

/// memfd_create(2): a file in memory that has no name and is gone with its last descriptor.
int linux_memory_file(void);

/// A file of `directory` that has no name there and is gone with its last descriptor: open(2) with O_TMPFILE, or where the
/// file system lacks that, one that loses its name at once.
int linux_unnamed_file(const char *directory);

/// The number of columns of the terminal behind `fd`, 0 where it is none.
int linux_terminal_columns(int fd);

#endif
