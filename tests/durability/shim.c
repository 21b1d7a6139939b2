/* A disk that forgets: keeps, for every file under a folder, how to undo what was not fsynced.
 *
 * Loaded by LD_PRELOAD. FANFARE_SHIM_DATA is the folder watched, FANFARE_SHIM_LOG a folder of the same file system
 * for the undo logs; FANFARE_SHIM_FSYNC=ignore makes every fsync succeed without doing or keeping anything.
 *
 * <inode>.file  a second name of the file, so that it is found again whatever became of its first
 * <inode>.undo  records {offset, old size, length} and the old bytes, oldest first; emptied by an fsync
 * <inode>.dir   what happened to names in a folder since its fsync: "+<name>" created, "-<inode> <name>" gone
 *
 * A record is written before the change it undoes. All calls are taken one at a time: an fsync then never claims
 * a write that another thread began meanwhile; one that another process began may be kept with it, as any disk may
 * keep what it was not told to. Writes through mmap are not seen; SQLite makes none to what it
 * relies on. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const char *data_folder(void) { return getenv("FANFARE_SHIM_DATA"); }

static int ignores_fsync(void) {
    const char *mode = getenv("FANFARE_SHIM_FSYNC");
    return mode && strcmp(mode, "ignore") == 0;
}


static void log_path(char *path, ino_t inode, const char *kind) {
    snprintf(path, PATH_MAX, "%s/%lu.%s", getenv("FANFARE_SHIM_LOG"), (unsigned long)inode, kind);
}

static void append(ino_t inode, const char *kind, struct iovec *parts, int count) {
    char path[PATH_MAX];
    log_path(path, inode, kind);
    int log = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0 || syscall(SYS_writev, log, parts, count) < 0) abort();
    syscall(SYS_close, log);
}

static void forget(ino_t inode, const char *kind) {
    char path[PATH_MAX];
    log_path(path, inode, kind);
    syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

static int is_watched(const char *path) {
    const char *folder = data_folder();
    size_t length = folder ? strlen(folder) : 0;
    return length && strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == 0);
}

/* The path of an open file, if it is watched. A file that is already unlinked has none. */
static int watched_path(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_watched(path);
}

/* Whether writes to fd are to be undone; gives its state and a second name. */
static int watched(int fd, struct stat *state) {
    char path[PATH_MAX], second[PATH_MAX];
    if (!data_folder() || fstat(fd, state) != 0 || !S_ISREG(state->st_mode)) return 0;
    log_path(second, state->st_ino, "file");
    if (faccessat(AT_FDCWD, second, F_OK, 0) == 0) return 1;
    if (!watched_path(fd, path)) return 0;
    if (link(path, second) != 0) abort();
    return 1;
}

/* Reads by fd itself if it can: closing another descriptor of the file would drop SQLite's locks on it. */
static ssize_t read_old(int fd, char *bytes, uint64_t length, uint64_t offset) {
    char path[64];
    ssize_t result = pread(fd, bytes, length, offset);
    if (result >= 0) return result;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int reader = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (reader < 0) return -1;
    result = pread(reader, bytes, length, offset);
    syscall(SYS_close, reader);
    return result;
}

/* Keeps the old bytes of [offset, offset + length). */
static void keep(int fd, const struct stat *state, uint64_t offset, uint64_t length) {
    uint64_t size = state->st_size;
    uint64_t old = offset >= size ? 0 : (size - offset < length ? size - offset : length);
    uint64_t head[3] = {offset, size, old};
    char *bytes = malloc(old ? old : 1);
    if (old && read_old(fd, bytes, old, offset) != (ssize_t)old) abort();
    struct iovec parts[] = {{head, sizeof head}, {bytes, old}};
    append(state->st_ino, "undo", parts, 2);
    free(bytes);
}

static uint64_t position(int fd, const struct stat *state) {
    int flags = fcntl(fd, F_GETFL);
    return flags & O_APPEND ? (uint64_t)state->st_size : (uint64_t)lseek(fd, 0, SEEK_CUR);
}

#define LOCKED(type, call)                       \
    do {                                         \
        type locked_result = (call);             \
        int locked_errno = errno;                \
        pthread_mutex_unlock(&lock);             \
        errno = locked_errno;                    \
        return locked_result;                    \
    } while (0)

ssize_t write(int fd, const void *bytes, size_t length) {
    struct stat state;
    pthread_mutex_lock(&lock);
    if (watched(fd, &state)) keep(fd, &state, position(fd, &state), length);
    LOCKED(ssize_t, syscall(SYS_write, fd, bytes, length));
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    struct stat state;
    size_t length = 0;
    for (int i = 0; i < count; i++) length += parts[i].iov_len;
    pthread_mutex_lock(&lock);
    if (watched(fd, &state)) keep(fd, &state, position(fd, &state), length);
    LOCKED(ssize_t, syscall(SYS_writev, fd, parts, count));
}

static ssize_t write_at(int fd, const void *bytes, size_t length, off_t offset) {
    struct stat state;
    pthread_mutex_lock(&lock);
    if (watched(fd, &state)) keep(fd, &state, offset, length);
    LOCKED(ssize_t, syscall(SYS_pwrite64, fd, bytes, length, offset));
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    return write_at(fd, bytes, length, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
    return write_at(fd, bytes, length, offset);
}

static ssize_t write_parts_at(int fd, const struct iovec *parts, int count, off_t offset) {
    struct stat state;
    size_t length = 0;
    for (int i = 0; i < count; i++) length += parts[i].iov_len;
    pthread_mutex_lock(&lock);
    if (watched(fd, &state)) keep(fd, &state, offset, length);
    LOCKED(ssize_t, syscall(SYS_pwritev, fd, parts, count, (long)offset, 0L));
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    return write_parts_at(fd, parts, count, offset);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) {
    return write_parts_at(fd, parts, count, offset);
}

static int cut(int fd, off_t size) {
    struct stat state;
    pthread_mutex_lock(&lock);
    if (watched(fd, &state)) keep(fd, &state, size, state.st_size > size ? state.st_size - size : 0);
    LOCKED(int, syscall(SYS_ftruncate, fd, size));
}

int ftruncate(int fd, off_t size) { return cut(fd, size); }

int ftruncate64(int fd, off64_t size) { return cut(fd, size); }

static int sync_with(int fd, long number) {
    struct stat state;
    char path[PATH_MAX];
    if (!data_folder() || fstat(fd, &state) != 0) return syscall(number, fd);
    pthread_mutex_lock(&lock);
    int is_folder = S_ISDIR(state.st_mode) && watched_path(fd, path);
    int is_file = watched(fd, &state);
    if ((is_folder || is_file) && ignores_fsync()) LOCKED(int, 0);
    int result = syscall(number, fd);
    if (result == 0 && is_folder) forget(state.st_ino, "dir");
    if (result == 0 && is_file) forget(state.st_ino, "undo");
    LOCKED(int, result);
}

int fsync(int fd) { return sync_with(fd, SYS_fsync); }

int fdatasync(int fd) { return sync_with(fd, SYS_fdatasync); }

/* Notes a change of a name in its folder. `gone` is the inode that loses it, 0 for a new name. */
static void note(const char *path, ino_t gone) {
    char folder[PATH_MAX], line[PATH_MAX + 64];
    struct stat state;
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (!slash) return;
    *slash = 0;
    if (stat(folder, &state) != 0) return;
    int length = gone ? snprintf(line, sizeof line, "-%lu %s\n", (unsigned long)gone, path)
                      : snprintf(line, sizeof line, "+%s\n", path);
    struct iovec part = {line, length};
    append(state.st_ino, "dir", &part, 1);
}

/* Gives a file that is about to lose its name a second one, and notes the loss. */
static void note_loss(const char *path) {
    struct stat state;
    char second[PATH_MAX];
    if (stat(path, &state) != 0 || !S_ISREG(state.st_mode)) return;
    log_path(second, state.st_ino, "file");
    if (link(path, second) != 0 && errno != EEXIST) abort();
    note(path, state.st_ino);
}

static int open_with(int folder, const char *path, int flags, mode_t mode) {
    struct stat state;
    pthread_mutex_lock(&lock);
    int creates = (flags & O_CREAT) && is_watched(path) && stat(path, &state) != 0;
    if (creates) note(path, 0);
    int cuts = (flags & O_TRUNC) && is_watched(path) && !creates;
    int fd = syscall(SYS_openat, folder, path, cuts ? flags & ~O_TRUNC : flags, mode);
    int number = errno;
    if (fd >= 0 && cuts && watched(fd, &state)) {
        keep(fd, &state, 0, state.st_size);
        syscall(SYS_ftruncate, fd, 0);
    }
    errno = number;
    LOCKED(int, fd);
}

#define MODE(flags, mode)                         \
    mode_t mode = 0;                              \
    if ((flags) & (O_CREAT | O_TMPFILE)) {        \
        va_list rest;                             \
        va_start(rest, flags);                    \
        mode = va_arg(rest, mode_t);              \
        va_end(rest);                             \
    }

int open(const char *path, int flags, ...) {
    MODE(flags, mode)
    return open_with(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE(flags, mode)
    return open_with(AT_FDCWD, path, flags | O_LARGEFILE, mode);
}

int openat(int folder, const char *path, int flags, ...) {
    MODE(flags, mode)
    return open_with(folder, path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...) {
    MODE(flags, mode)
    return open_with(folder, path, flags | O_LARGEFILE, mode);
}

int unlink(const char *path) {
    pthread_mutex_lock(&lock);
    if (is_watched(path)) note_loss(path);
    LOCKED(int, syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}

int unlinkat(int folder, const char *path, int flags) {
    pthread_mutex_lock(&lock);
    if (!(flags & AT_REMOVEDIR) && is_watched(path)) note_loss(path);
    LOCKED(int, syscall(SYS_unlinkat, folder, path, flags));
}

int rename(const char *from, const char *to) {
    pthread_mutex_lock(&lock);
    if (is_watched(from)) note_loss(from);
    if (is_watched(to)) {
        note_loss(to);
        note(to, 0);
    }
    LOCKED(int, syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

/* Whatever copies within the kernel is told to copy by hand, so that it is seen. */
ssize_t copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t length, unsigned flags) {
    (void)in, (void)in_at, (void)out, (void)out_at, (void)length, (void)flags;
    errno = ENOSYS;
    return -1;
}
