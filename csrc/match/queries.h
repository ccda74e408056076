/* Prepared queries: in the order of the search (order.c), with their quantised copies. */
#ifndef SCP_MATCH_QUERIES_H
#define SCP_MATCH_QUERIES_H

#include "scp/match.h"

#define SCP_UNIT_LIMIT 1.001f /* largest squared length of a "unit" vector */

/* How one vector of a query was quantised. */
struct quantisation {
    float unit, residual; /* what an integer of 1 means; the length that rounding took */
    int32_t sum;          /* of the integers */
};

/* All arrays but max_norms are in the order in which the search takes the queries. */
struct scp_queries {
    uint32_t *order;              /* which query it is */
    uint32_t *heads;              /* the first place with its vector at level 0 */
    float *vectors, *norms;       /* [count][levels][channels], [count][levels] */
    int8_t *quantised;            /* [count][levels][channels] */
    struct quantisation *scaling; /* [count][levels] */
    size_t count, levels, channels;
    float max_norms[SCP_MATCH_MAX_LEVELS]; /* of each level */
};

/* The one at a place of the order. */
struct query {
    const float *vectors, *norms;
    const int8_t *quantised;
    const struct quantisation *scaling;
    uint32_t number, head;
};
static inline struct query scp_query(const struct scp_queries *q, size_t place) {
    const size_t size = q->levels * q->channels;
    return (struct query){q->vectors + place * size,
                          q->norms + place * q->levels,
                          q->quantised + place * size,
                          q->scaling + place * q->levels,
                          q->order[place],
                          q->heads[place]};
}

/* After SCP_EINVAL about vectors or norms[count]: says which of the two. SCP_EINVAL. */
enum scp_status scp_name_vectors(const struct scp_control *control, const char *vectors_name,
                                 const char *norms_name, const float *norms, size_t count);

#endif
