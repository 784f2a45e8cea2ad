#define _GNU_SOURCE

#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

// Two locks on two ranges, because neither kind does both jobs: an open-file-description lock also keeps two users in
// one process apart, but has no owner to ask for; a process lock has one, but does not exclude its own process. The
// ranges lie beyond any file so that they never meet a byte of data.
static const int64_t exclusive_at = INT64_MAX - 2;
static const int64_t signature_at = INT64_MAX - 1;

static struct flock lock_at(int64_t start) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = 1, .l_pid = 0};
    return lock;
}

int linux_fallocate(int fd, int64_t length) {
    return fallocate(fd, 0, 0, length);
}

int linux_rename_noreplace(const char *from, const char *to) {
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
}

int linux_lock_exclusive(int fd) {
    struct flock lock = lock_at(exclusive_at);
    return fcntl(fd, F_OFD_SETLK, &lock);
}

int linux_lock_sign(int fd) {
    struct flock lock = lock_at(signature_at);
    return fcntl(fd, F_SETLK, &lock);
}

pid_t linux_lock_owner(int fd) {
    struct flock lock = lock_at(signature_at);
    if (fcntl(fd, F_GETLK, &lock) != 0) return 0;
    return lock.l_type == F_UNLCK ? 0 : lock.l_pid;
}

int linux_start_writeback(int fd, int64_t offset, int64_t length) {
    return sync_file_range(fd, offset, length, SYNC_FILE_RANGE_WRITE);
}

ssize_t linux_copy_file_range(int from, int64_t from_offset, int to, int64_t to_offset, size_t length) {
    return copy_file_range(from, &from_offset, to, &to_offset, length, 0);
}

int linux_sync_file_system(int fd) {
    return syncfs(fd);
}

int linux_memory_file(void) {
    return memfd_create("drayage", MFD_CLOEXEC);
}

int linux_unnamed_file(const char *directory) {
    int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    // An old kernel takes it for an attempt to open the directory for writing.
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) return fd;
    char name[4096];
    // Six of them, which mkostemp replaces.
    int length = snprintf(name, sizeof name, "%s/.drayage-" "XX" "XX" "XX", directory);
    if (length < 0 || (size_t)length >= sizeof name) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = mkostemp(name, O_CLOEXEC);
    if (fd >= 0) unlink(name);
    return fd;
}

int linux_terminal_columns(int fd) {
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) != 0) return 0;
    return size.ws_col;
}
