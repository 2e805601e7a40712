//go:build cgo && !nonative

// The C library gives each thread that allocates a heap of its own, up to eight per processor, and malloc_trim (glue.c) gives back
// what is free at the end of the main heap alone. An interpreter that is opened on one thread and the next one on another leaves tens
// of megabytes behind in each heap: with the garments' network, switched 100 times, the daemon's memory wandered between 159 and
// 194 MB; with one heap it stays within a few. What computes does not allocate, so threads hardly wait for each other. The heap keeps
// what is free until malloc_trim: a decoder's buffers, freed and wanted again with each frame, would else be unmapped and mapped
// again. Who sets MALLOC_ARENA_MAX or GLIBC_TUNABLES has the last word.
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>

__attribute__((constructor)) static void one_heap(void) {
  if (getenv("MALLOC_ARENA_MAX") || getenv("GLIBC_TUNABLES")) return;
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 128 << 20);
}
#endif
