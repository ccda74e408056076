/* Branch and bound for Eq. 10, on the rows. Nodes are processed in waves of fixed size taken from
 * the top of a stack, with the incumbent frozen during a wave: the tree, and so the node count,
 * does not depend on the number of threads. */
#include "node.h"

#include <math.h>
#include <string.h>

#include "heap.h"
#include "rules.h"
#include "score.h"
#include "scp/alloc.h"

#define WAVE 16

struct branch_and_bound {
    struct scp_wave wave;
    struct scp_node_work work[WAVE];
    struct scp_node *nodes[WAVE]; /* of the wave */
    struct scp_node **stack;
    size_t depth, room, n_records;
    uint32_t *twins;
    struct scp_select_trace *trace; /* NULL: not wanted, or full */
};

static void release_multipliers(struct scp_multipliers *x) {
    if (x && --x->users == 0) scp_free(x);
}

static void node_free(struct scp_node *node) {
    if (!node) return;
    release_multipliers(node->multipliers);
    scp_free(node->rows);
    scp_free(node);
}

static struct scp_node *node_create(size_t n_rows, struct scp_multipliers *multipliers,
                                    double bound) {
    struct scp_node *node = scp_calloc(1, sizeof *node);
    if (!node) return NULL;
    node->rows = scp_alloc(n_rows, sizeof *node->rows);
    if (!node->rows) {
        scp_free(node);
        return NULL;
    }
    node->bound = bound;
    node->multipliers = multipliers;
    multipliers->users++;
    return node;
}

static struct scp_multipliers *multipliers_create(const float *lambda, size_t q) {
    if (q > (SIZE_MAX - sizeof(struct scp_multipliers)) / sizeof(float)) return NULL;
    struct scp_multipliers *x = scp_alloc(sizeof *x + q * sizeof(float), 1);
    if (!x) return NULL;
    x->users = 0;
    memcpy(x->lambda, lambda, q * sizeof(float));
    return x;
}

static enum scp_status push(struct branch_and_bound *s, struct scp_node *node) {
    if (s->depth == s->room) {
        const size_t room = s->room ? 2 * s->room : 64;
        struct scp_node **stack = scp_alloc(room, sizeof(struct scp_node *));
        if (!stack) return SCP_ENOMEM;
        if (s->depth) memcpy(stack, s->stack, s->depth * sizeof *stack);
        scp_free(s->stack);
        s->stack = stack;
        s->room = room;
    }
    s->stack[s->depth++] = node;
    return SCP_OK;
}

struct hashes {
    const struct scp_select *p;
    double *of; /* [n] */
};

/* A number that equal rows share, exact as a double. */
static enum scp_status hash_row(void *context, size_t t, size_t worker) {
    const struct hashes *h = context;
    const float *row = h->p->in.values + t * h->p->in.q;
    uint64_t hash = 0xCBF29CE484222325u;
    (void)worker;
    for (size_t q = 0; q < h->p->in.q; q++) {
        uint32_t bits;
        memcpy(&bits, row + q, sizeof bits);
        hash = (hash ^ bits) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 29;
    }
    h->of[t] = (double)(hash >> 12);
    return SCP_OK;
}

/* twins[t]: the lowest row equal to t. Only where no rule can tell equal rows apart. */
static enum scp_status find_twins(struct branch_and_bound *s, const struct scp_select *p,
                                  const struct scp_control *control) {
    const size_t n = p->in.n, bytes = p->in.q * sizeof(float);
    if (!scp_rules_trivial(p)) return SCP_OK;
    struct hashes h = {p, scp_alloc(n, sizeof *h.of)};
    uint32_t *order = scp_alloc(n, sizeof *order);
    s->wave.twin = s->twins = scp_alloc(n, sizeof *s->twins);
    enum scp_status status = SCP_ENOMEM;
    if (h.of && order && s->twins) status = scp_parallel(n, hash_row, &h, control);
    if (status == SCP_OK) scp_sort_keys(order, n, h.of, n); /* equal ones: the lowest row first */
    for (size_t i = 0, first = 0; status == SCP_OK && i < n; i++) {
        const uint32_t t = order[i], u = order[first];
        const int equal = h.of[t] == h.of[u] &&
                          !memcmp(p->in.values + t * p->in.q, p->in.values + u * p->in.q, bytes);
        if (!equal || p->in.roles[u] != SCP_FREE) first = i;
        s->twins[t] = equal && p->in.roles[u] == SCP_FREE && p->in.roles[t] == SCP_FREE ? u : t;
    }
    scp_free(h.of);
    scp_free(order);
    return status;
}

static enum scp_status process(void *context, size_t task, size_t worker) {
    struct branch_and_bound *s = context;
    (void)worker;
    s->work[task].node = s->nodes[task];
    scp_node_process(&s->work[task], &s->wave);
    return SCP_OK;
}

/* A child of the node in `w`: with the branch row taken, or without it and its twins. */
static enum scp_status push_child(struct branch_and_bound *s, const struct scp_node_work *w,
                                  int taken, struct scp_multipliers *multipliers) {
    struct scp_node *child = node_create(w->n_taken + w->n_open + 1, multipliers, w->node->bound);
    if (!child) return SCP_ENOMEM;
    memcpy(child->rows, w->taken, w->n_taken * sizeof *child->rows);
    child->parent = s->n_records - 1;
    child->taken = taken;
    child->n_taken = w->n_taken;
    if (taken) child->rows[child->n_taken++] = w->branch;
    scp_sort_set(child->rows, child->n_taken);
    for (size_t i = 0; i < w->n_open; i++) {
        const uint32_t row = w->open[i];
        const int twin = s->twins && s->twins[row] == s->twins[w->branch];
        if (row == w->branch || (!taken && twin)) continue;
        child->rows[child->n_taken + child->n_open++] = row;
    }
    const enum scp_status status = push(s, child);
    if (status != SCP_OK) node_free(child);
    return status;
}

static enum scp_status push_children(struct branch_and_bound *s, const struct scp_node_work *w) {
    struct scp_multipliers *multipliers = multipliers_create(w->best, s->wave.p->in.q);
    if (!multipliers) return SCP_ENOMEM;
    multipliers->users = 1; /* ours, until both children hold it */
    enum scp_status status = push_child(s, w, 0, multipliers);
    if (status == SCP_OK) status = push_child(s, w, 1, multipliers);
    release_multipliers(multipliers);
    return status;
}

/* Adds the record of a node that was looked at. */
static void record(struct branch_and_bound *s, const struct scp_node_work *w) {
    struct scp_select_trace *t = s->trace;
    const int root = s->n_records++ == 0;
    if (!t) return;
    if (t->room - t->size < w->n_trace + 5) {
        t->size = 0;
        s->trace = NULL;
        return;
    }
    double *to = t->numbers + t->size;
    *to++ = root ? -1 : (double)w->node->parent;
    *to++ = w->node->taken;
    *to++ = (double)w->n_moves;
    memcpy(to, w->trace, w->n_trace * sizeof *to);
    to += w->n_trace;
    *to++ = w->closed ? -1 : (double)w->branch;
    *to++ = (double)w->best_move;
    t->size += w->n_trace + 5;
}

/* Takes up to WAVE nodes that may still hold something better; the top of the stack first. */
static size_t next_wave(struct branch_and_bound *s, size_t limit) {
    size_t size = 0;
    while (s->depth > 0 && size < WAVE && size < limit) {
        struct scp_node *node = s->stack[--s->depth];
        if (node->bound < s->wave.incumbent)
            node_free(node);
        else
            s->nodes[size++] = node;
    }
    return size;
}

static enum scp_status start(struct branch_and_bound *s, const struct scp_select *p,
                             const float *lambda, double bound, const struct scp_control *control) {
    enum scp_status status = find_twins(s, p, control);
    for (size_t i = 0; i < WAVE && status == SCP_OK; i++)
        status = scp_node_work_create(&s->work[i], p, s->trace ? s->wave.m : 0);
    if (status != SCP_OK) return status;
    struct scp_multipliers *multipliers = multipliers_create(lambda, p->in.q);
    if (!multipliers) return SCP_ENOMEM;
    multipliers->users = 1;
    struct scp_node *root = node_create(p->in.n, multipliers, bound);
    release_multipliers(multipliers);
    if (!root) return SCP_ENOMEM;
    memcpy(root->rows, p->included, p->n_included * sizeof *root->rows);
    memcpy(root->rows + p->n_included, p->open, p->n_open * sizeof *root->rows);
    root->n_taken = p->n_included;
    root->n_open = p->n_open;
    status = push(s, root);
    if (status != SCP_OK) node_free(root);
    return status;
}

static void release(struct branch_and_bound *s) {
    for (size_t i = 0; i < s->depth; i++) node_free(s->stack[i]);
    for (size_t i = 0; i < WAVE; i++) {
        node_free(s->nodes[i]);
        scp_node_work_free(&s->work[i]);
    }
    scp_free(s->stack);
    scp_free(s->twins);
    scp_free(s);
}

enum scp_status scp_select_exact(uint32_t *set, size_t *count, struct scp_select_proof *proof,
                                 const struct scp_select *p, size_t m,
                                 const struct scp_select_dual *dual, size_t max_nodes,
                                 const struct scp_control *control) {
    struct branch_and_bound *s = scp_calloc(1, sizeof *s);
    if (!s) return SCP_ENOMEM;
    s->wave.p = p;
    s->wave.m = m;
    s->trace = proof->trace;
    if (s->trace) s->trace->size = 0;
    proof->nodes = 0;
    scp_sort_set(set, *count);
    s->wave.incumbent = proof->score = scp_select_score(p, set, *count);
    const double bound = dual->bound < proof->score ? proof->score : dual->bound;
    enum scp_status status = start(s, p, dual->lambda, bound, control);
    while (status == SCP_OK && proof->nodes < max_nodes) {
        const size_t size = next_wave(s, max_nodes - proof->nodes);
        if (size == 0) break;
        proof->nodes += size;
        if (scp_poll(control, proof->nodes, max_nodes) != SCP_OK) status = SCP_EINTERRUPTED;
        if (status == SCP_OK) status = scp_parallel(size, process, s, control);
        for (size_t i = size; i-- > 0;) { /* the first node's children end on top */
            struct scp_node_work *w = &s->work[i];
            if (status == SCP_OK && w->n_found != SIZE_MAX &&
                scp_score_better(w->score, w->found, w->n_found, proof->score, set, *count)) {
                proof->score = s->wave.incumbent = w->score;
                *count = w->n_found;
                memcpy(set, w->found, w->n_found * sizeof *set);
            }
            if (status == SCP_OK) record(s, w);
            if (status == SCP_OK && !w->closed) status = push_children(s, w);
            node_free(s->nodes[i]);
            s->nodes[i] = NULL;
        }
    }
    proof->bound = proof->score;
    for (size_t i = 0; i < s->depth; i++)
        if (s->stack[i]->bound > proof->bound) proof->bound = s->stack[i]->bound;
    if (proof->bound > bound) proof->bound = bound;
    size_t left = 0;
    for (size_t i = 0; i < s->depth; i++) left += s->stack[i]->bound >= proof->score;
    proof->proven = left == 0;
    release(s);
    return status;
}
