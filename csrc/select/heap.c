/* Binary heaps. Keys lie outside, so that a row's place is one number; a key may change only while
 * its row is not in a heap. */
#include "heap.h"

int scp_heap_before(const struct scp_heap *h, uint32_t a, uint32_t b) {
    if (h->last) return h->key[a] < h->key[b] || (h->key[a] == h->key[b] && a > b);
    return h->key[a] > h->key[b] || (h->key[a] == h->key[b] && a < b);
}

/* Puts a row where position `at` is free, or below it. */
static void sink(struct scp_heap *h, size_t at, uint32_t row) {
    for (size_t child; (child = 2 * at + 1) < h->count; at = child) {
        if (child + 1 < h->count && scp_heap_before(h, h->rows[child + 1], h->rows[child])) child++;
        if (!scp_heap_before(h, h->rows[child], row)) break;
        h->rows[at] = h->rows[child];
    }
    h->rows[at] = row;
}

void scp_heap_make(struct scp_heap *h) {
    for (size_t at = h->count / 2; at-- > 0;) sink(h, at, h->rows[at]);
}

void scp_heap_push(struct scp_heap *h, uint32_t row) {
    size_t at = h->count++;
    for (; at > 0 && scp_heap_before(h, row, h->rows[(at - 1) / 2]); at = (at - 1) / 2)
        h->rows[at] = h->rows[(at - 1) / 2];
    h->rows[at] = row;
}

uint32_t scp_heap_pop(struct scp_heap *h) {
    const uint32_t top = h->rows[0], row = h->rows[--h->count];
    if (h->count > 0) sink(h, 0, row);
    return top;
}

/* The last of those kept lies on top, where a better one takes its place; at the end the last ones
 * go to the end, one by one. */
void scp_sort_keys(uint32_t *order, size_t keep, const double *key, size_t count) {
    struct scp_heap h = {key, order, keep < count ? keep : count, 1};
    for (size_t i = 0; i < h.count; i++) order[i] = (uint32_t)i;
    scp_heap_make(&h);
    for (size_t i = h.count; h.count > 0 && i < count; i++)
        if (scp_heap_before(&h, order[0], (uint32_t)i)) sink(&h, 0, (uint32_t)i);
    while (h.count > 0) {
        const size_t end = h.count - 1;
        const uint32_t last = scp_heap_pop(&h);
        order[end] = last;
    }
}
