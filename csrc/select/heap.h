/* Heaps of row numbers by their keys (heap.c). Of two rows the one with the larger key comes first,
 * of equal keys the lower row. */
#ifndef SCP_SELECT_HEAP_H
#define SCP_SELECT_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct scp_heap {
    const double *key; /* of row i, not NaN */
    uint32_t *rows;    /* [count]; rows[0] comes first of all (last: last of all) */
    size_t count;
    int last;
};

/* Whether row a comes nearer to the top than row b. */
int scp_heap_before(const struct scp_heap *heap, uint32_t a, uint32_t b);

/* Makes a heap of rows[count] in any order; linear. */
void scp_heap_make(struct scp_heap *heap);

/* Adds a row, for which `rows` has room, or takes rows[0] out. */
void scp_heap_push(struct scp_heap *heap, uint32_t row);
uint32_t scp_heap_pop(struct scp_heap *heap);

/* order[keep] = the first of the rows 0 .. count - 1 (or all, if fewer), in their order. */
void scp_sort_keys(uint32_t *order, size_t keep, const double *key, size_t count);

#endif
