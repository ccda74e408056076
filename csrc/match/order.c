/* The order in which the search takes queries. Those with the same vector at level 0 follow each
 * other: key points of one image share its coarse cells, and what the search does there it then
 * does once. Of those groups, the ones that look most like the same example follow each other too:
 * they visit the same part of an image's tree, which the cache then holds. */
#include "order.h"

#include <stdlib.h>
#include <string.h>

#include "../kernels/kernels.h"
#include "scp/alloc.h"

#define EXAMPLES 64

struct key {
    uint64_t hash;
    uint32_t number, first; /* first: the lowest number with this vector */
    uint32_t example;
};

static int by_hash(const void *a, const void *b) {
    const struct key *x = a, *y = b;
    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static int by_place(const void *a, const void *b) {
    const struct key *x = a, *y = b;
    if (x->example != y->example) return x->example < y->example ? -1 : 1;
    if (x->first != y->first) return x->first < y->first ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static uint64_t hash(const float *v, size_t count) {
    uint64_t h = count;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, v + i, sizeof bits);
        h = (h ^ bits) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    return h;
}

/* Sets `first`, and sorts by it. */
static void group(struct key *keys, const float *vectors, size_t count, size_t stride,
                  size_t channels) {
    for (size_t i = 0; i < count; i++)
        keys[i] = (struct key){hash(vectors + i * stride, channels), (uint32_t)i, 0, 0};
    qsort(keys, count, sizeof *keys, by_hash);
    for (size_t i = 0; i < count; i++) {
        const float *mine = vectors + keys[i].number * stride;
        const int same =
            i && keys[i].hash == keys[i - 1].hash &&
            !memcmp(mine, vectors + keys[i - 1].number * stride, channels * sizeof *mine);
        keys[i].first = same ? keys[i - 1].first : keys[i].number;
    }
    qsort(keys, count, sizeof *keys, by_place);
}

/* Sets `example` of sorted keys. Examples are the vectors of groups far from each other in the
 * list. */
static void assign_examples(struct key *keys, const float *vectors, size_t count, size_t stride,
                            size_t channels) {
    const size_t spacing = (count + EXAMPLES - 1) / EXAMPLES;
    const struct scp_kernels *kernels = scp_kernels();
    for (size_t i = 0; i < count; i++) {
        const float *mine = vectors + keys[i].first * stride;
        float best = -2;
        if (i && keys[i].first == keys[i - 1].first) {
            keys[i].example = keys[i - 1].example;
            continue;
        }
        for (size_t e = 0; e * spacing < count; e++) {
            const float *example = vectors + keys[e * spacing].first * stride;
            const float dot = kernels->dots.one(mine, example, channels);
            if (dot > best) {
                best = dot;
                keys[i].example = (uint32_t)e;
            }
        }
    }
}

enum scp_status scp_queries_order(uint32_t *order, uint32_t *heads, const float *vectors,
                                  size_t count, size_t levels, size_t channels) {
    const size_t stride = levels * channels;
    struct key *keys = scp_alloc(count, sizeof *keys);
    if (!keys) return SCP_ENOMEM;
    group(keys, vectors, count, stride, channels);
    assign_examples(keys, vectors, count, stride, channels);
    qsort(keys, count, sizeof *keys, by_place);
    for (size_t i = 0; i < count; i++) {
        order[i] = keys[i].number;
        heads[i] = i && keys[i].first == keys[i - 1].first ? heads[i - 1] : (uint32_t)i;
    }
    scp_free(keys);
    return SCP_OK;
}
