/* Queries with the same vector at level 0 one after the other: key points of one image share its
 * coarse cells, and what the search does there it then does once. Else the order stays: those of an
 * image lie together in memory. */
#include <stdlib.h>
#include <string.h>

#include "match.h"
#include "scp/alloc.h"

struct key {
    uint64_t hash;
    uint32_t number, first; /* first: the lowest number with this vector */
};

static int by_hash(const void *a, const void *b) {
    const struct key *x = a, *y = b;
    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static int by_first(const void *a, const void *b) {
    const struct key *x = a, *y = b;
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

enum scp_status scp_queries_order(struct scp_queries *queries) {
    const size_t count = queries->count, channels = queries->channels;
    const size_t stride = queries->levels * channels;
    struct key *keys = scp_alloc(count, sizeof *keys);
    if (!keys) return SCP_ENOMEM;
    for (size_t i = 0; i < count; i++)
        keys[i] = (struct key){hash(queries->vectors + i * stride, channels), (uint32_t)i, 0};
    qsort(keys, count, sizeof *keys, by_hash);
    for (size_t i = 0; i < count; i++) {
        const float *mine = queries->vectors + keys[i].number * stride;
        const int same =
            i && keys[i].hash == keys[i - 1].hash &&
            !memcmp(mine, queries->vectors + keys[i - 1].number * stride, channels * sizeof *mine);
        keys[i].first = same ? keys[i - 1].first : keys[i].number;
    }
    qsort(keys, count, sizeof *keys, by_first);
    for (size_t i = 0; i < count; i++) {
        queries->order[i] = keys[i].number;
        queries->heads[i] =
            i && keys[i].first == keys[i - 1].first ? queries->heads[i - 1] : (uint32_t)i;
    }
    scp_free(keys);
    return SCP_OK;
}
