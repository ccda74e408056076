/* Feasibility: roles, group quotas, budget, distances; and whether a partial set can be completed.
 *
 * Without distances completion is exact, in one pass over the rows by rising cost: group quotas
 * form a matroid, so the cheapest completion is found greedily. With distances it is an independent
 * set problem: a heuristic first (fewest conflicts first), then depth-first search with a limit on
 * the nodes it visits. */
#include "rules.h"

#include <string.h>

#define MAX_NODES 200000

int scp_rules_trivial(const struct scp_select *p) {
    return !p->in.groups && !p->in.costs && !p->in.distances;
}

static int conflict(const struct scp_select *p, uint32_t a, uint32_t b) {
    return p->in.distances && !(p->in.distances[a * p->in.n + b] >= p->in.min_distance);
}

int scp_rules_allow(const struct scp_select *p, const uint32_t *set, size_t count, uint32_t c) {
    const struct scp_select_input *in = &p->in;
    if (in->roles[c] == SCP_INITIAL || in->roles[c] == SCP_EXCLUDE) return 0;
    size_t same = 0;
    for (size_t i = 0; i < count; i++) {
        if (set[i] == c || conflict(p, set[i], c)) return 0;
        same += in->groups && in->groups[set[i]] == in->groups[c];
    }
    if (in->groups && same >= p->quota_left[in->groups[c]]) return 0;
    if (in->distances)
        for (size_t k = 0; k < p->n_initial; k++)
            if (conflict(p, p->initial[k], c)) return 0;
    if (in->costs) {
        double spent = in->costs[c];
        for (size_t i = 0; i < count; i++) spent += in->costs[set[i]];
        if (!(spent <= p->budget)) return 0;
    }
    return 1;
}

int scp_select_violates(const struct scp_select *p, const uint32_t *set, size_t count) {
    size_t included = 0;
    for (size_t i = 0; i < count; i++) {
        if (!scp_rules_allow(p, set, i, set[i])) return 1;
        included += p->in.roles[set[i]] == SCP_INCLUDE;
    }
    return included != p->n_included;
}

/* ---- completion ---- */

/* Scratch: the rows still open at each depth, one list after the other. */
size_t scp_rules_scratch(const struct scp_select *p) {
    return (p->in.n + 1) * 3 * sizeof(uint32_t);
}

static size_t open_rows(const struct scp_select *p, uint32_t *open, const uint32_t *from,
                        size_t n_from, const uint32_t *set, size_t count) {
    size_t n_open = 0;
    for (size_t i = 0; i < n_from; i++)
        if (scp_rules_allow(p, set, count, from[i])) open[n_open++] = from[i];
    return n_open;
}

/* The cheapest rows that the quotas leave; 0: they are too few or too dear. */
static int cheapest(const struct scp_select *p, uint32_t *set, size_t count, size_t m,
                    uint32_t *taken, uint32_t *used) {
    const uint32_t *groups = p->in.groups;
    memset(taken, 0, p->in.n * sizeof *taken);
    memset(used, 0, p->in.n * sizeof *used);
    for (size_t k = 0; k < count; k++) {
        taken[set[k]] = 1;
        if (groups) used[groups[set[k]]]++;
    }
    for (size_t i = 0; i < p->n_candidates && count < m; i++) {
        const uint32_t row = p->by_cost[i];
        if (taken[row] || (groups && used[groups[row]] >= p->quota_left[groups[row]])) continue;
        if (p->in.costs && !scp_rules_allow(p, set, count, row)) return 0; /* nor any dearer row */
        if (groups) used[groups[row]]++;
        set[count++] = row;
    }
    return count == m;
}

/* The open row with the fewest conflicts, then the cheapest, then the lowest. */
static size_t easiest(const struct scp_select *p, const uint32_t *open, const uint32_t *conflicts,
                      size_t count) {
    size_t at = 0;
    for (size_t i = 1; i < count; i++) {
        const uint32_t fewest = conflicts[open[at]], own = conflicts[open[i]];
        const int cheaper = p->in.costs && p->in.costs[open[i]] < p->in.costs[open[at]];
        if (own < fewest || (own == fewest && cheaper)) at = i;
    }
    return at;
}

/* Takes the easiest row again and again. conflicts[row]: with how many open rows it clashes. */
static int heuristic(const struct scp_select *p, uint32_t *set, size_t count, size_t m,
                     uint32_t *open, uint32_t *conflicts, const struct scp_control *control) {
    size_t n_open = open_rows(p, open, p->candidates, p->n_candidates, set, count);
    for (size_t i = 0; i < n_open; i++) {
        conflicts[open[i]] = 0;
        for (size_t j = 0; j < n_open; j++)
            conflicts[open[i]] += j != i && conflict(p, open[i], open[j]);
        if (scp_poll(control, count, m) != SCP_OK) return SCP_RULES_STOPPED;
    }
    while (count < m && n_open > 0) {
        set[count] = open[easiest(p, open, conflicts, n_open)];
        count++;
        size_t kept = 0;
        for (size_t i = 0; i < n_open;
             i++) { /* those that the new row forbids go behind the rest */
            const uint32_t row = open[i];
            if (!scp_rules_allow(p, set, count, row)) continue;
            open[i] = open[kept];
            open[kept++] = row;
        }
        for (size_t i = 0; i < kept; i++)
            for (size_t j = kept; j < n_open; j++)
                conflicts[open[i]] -= (uint32_t)conflict(p, open[i], open[j]);
        n_open = kept;
        if (scp_poll(control, count, m) != SCP_OK) return SCP_RULES_STOPPED;
    }
    return count == m;
}

/* How many rows may still be taken by the quotas alone: an upper bound on the completion. */
static size_t room(const struct scp_select *p, const uint32_t *open, size_t n_open,
                   const uint32_t *set, size_t count, uint32_t *used) {
    if (!p->in.groups) return n_open;
    size_t total = 0;
    for (size_t i = 0; i < n_open; i++) used[p->in.groups[open[i]]] = 0;
    for (size_t i = 0; i < n_open; i++) {
        const uint32_t g = p->in.groups[open[i]];
        if (used[g] == 0)
            for (size_t k = 0; k < count; k++) used[g] += p->in.groups[set[k]] == g;
        if (used[g] < p->quota_left[g]) used[g]++, total++;
    }
    return total;
}

/* Depth first over the candidates in ascending order: take, then leave. Iterative; set[] is the
 * stack. Rows below the last one taken are never tried again. */
static int depth_first(const struct scp_select *p, uint32_t *set, size_t count, size_t m,
                       uint32_t *open, uint32_t *used, const struct scp_control *control) {
    const size_t start = count;
    size_t next = 0, nodes = 0;
    uint32_t *position = open + p->in.n + 1; /* of each taken row in candidates */
    for (;;) {
        if (count == m) return 1;
        if (++nodes > MAX_NODES) return -1;
        if (scp_poll(control, count, m) != SCP_OK) return SCP_RULES_STOPPED;
        const size_t n_open =
            open_rows(p, open, p->candidates + next, p->n_candidates - next, set, count);
        if (room(p, open, n_open, set, count, used) >= m - count) {
            for (next = 0; p->candidates[next] != open[0]; next++) {
            }
            position[count] = (uint32_t)next;
            set[count++] = open[0];
            next++;
            continue;
        }
        if (count == start) return 0;
        next = position[--count] + 1;
    }
}

int scp_rules_complete(const struct scp_select *p, uint32_t *set, size_t count, size_t m,
                       void *scratch, const struct scp_control *control) {
    uint32_t *open = scratch, *used = open + 2 * (p->in.n + 1);
    for (size_t k = 0; k < p->n_included; k++) { /* these come first */
        size_t at = 0;
        while (at < count && set[at] != p->included[k]) at++;
        if (at < count) continue;
        if (count >= m || !scp_rules_allow(p, set, count, p->included[k])) return 0;
        set[count++] = p->included[k];
    }
    if (!p->in.distances) return cheapest(p, set, count, m, open, used);
    const int found = heuristic(p, set, count, m, open, used, control);
    return found ? found : depth_first(p, set, count, m, open, used, control);
}
