/* scp._core: selection. A problem is prepared once and used by any number of calls and threads. */
#include "args.h"

#include <string.h>

#include "scp/select.h"
#include "scp/vectors.h"
#include "scp/zcore.h"

TYPE(scp_py_problem, scp_select_free, "Problem",
     "A selection problem, prepared; keeps values and distances alive.", "images clients")

FUNCTION(select_problem, "Prepare a selection problem (scp/select.h).",
         ARRAY("values", float32, "[images][clients]", .flags = KEEP),
         ARRAY("weights", float64, "[clients]"),
         ARRAY("roles", uint8, "[images]", .note = "enum scp_role"),
         ARRAY("groups", uint32, "[images]", .flags = NONE),
         COUNT("quota", 0, PY_SSIZE_T_MAX, .note = "at most so many of a group"),
         ARRAY("costs", float64, "[images]", .flags = NONE), REAL("budget"),
         ARRAY("distances", float64, "[images][images]", .flags = KEEP | NONE),
         REAL("min_distance"), NEW(&scp_py_problem)) {
    const struct scp_select_input input = {.values = DATA(values),
                                           .weights = DATA(weights),
                                           .roles = DATA(roles),
                                           .groups = DATA(groups),
                                           .costs = DATA(costs),
                                           .distances = DATA(distances),
                                           .n = SIZE(images),
                                           .q = SIZE(clients),
                                           .quota = SIZE(quota),
                                           .budget = NUMBER(budget),
                                           .min_distance = NUMBER(min_distance)};
    return scp_select_create(TO(object), &input, in->control);
}

/* ---- rows that the functions share ---- */

#define PROBLEM OBJECT("problem", &scp_py_problem)
#define M COUNT("m", -1, PY_SSIZE_T_MAX, .note = "-1: as many as the budget allows")
#define SET ARRAY("set", uint32, "[size]")
#define FOUND OUT("found", uint32, "[count]", .room = "[images]")
#define MULTIPLIERS ARRAY("multipliers", float32, "[clients]")

FUNCTION(select_attach, "Run the problem's sums on a CUDA device from now on.", PROBLEM,
         COUNT("device", 0, INT_MAX)) {
    return scp_select_attach(DATA(problem), (int)SIZE(device));
}

/* Looks at m and the set, where the call has them; `found` starts as a copy of the set. */
static enum scp_status start(struct scp_args *in) {
    const uint32_t *set = DATA(set);
    uint32_t *found = DATA(found);
    const int has_m = scp_given(in, "m") != NULL, searches = has_m || DATA(multipliers);
    const size_t size = set ? SIZE(size) : 0, m = has_m ? SIZE(m) : size;
    const enum scp_status status =
        scp_select_check(DATA(problem), m, set, size, set && searches, in->control);
    *(size_t *)TO(count) = size;
    if (status == SCP_OK && size && found) memcpy(found, set, size * sizeof *set);
    return status;
}

/* A function that starts so. */
#define SEARCH(f, text, ...)                                                                       \
    static enum scp_status f##_run(struct scp_args *in);                                           \
    FUNCTION(f, text, PROBLEM, __VA_ARGS__) {                                                      \
        const enum scp_status status = start(in);                                                  \
        return status == SCP_OK ? f##_run(in) : status;                                            \
    }                                                                                              \
    static enum scp_status f##_run(struct scp_args *in)

SEARCH(select_score, "Score of a set of rows.", SET, VALUE("score", float64)) {
    *(double *)TO(score) = scp_select_score(DATA(problem), DATA(set), SIZE(size));
    return SCP_OK;
}

SEARCH(select_explain, "Pick order of a set, what each pick adds, and who covers whom.", SET, FOUND,
       OUT("gains", float64, "[size]"), VALUE("score", float64), OUT("cover", int64, "[clients]"),
       OUT("cover_value", float32, "[clients]")) {
    return scp_select_explain(TO(score), DATA(gains), DATA(cover), DATA(cover_value), DATA(found),
                              SIZE(size), DATA(problem));
}

SEARCH(select_next, "What the best further row that the rules allow would add; NaN: there is none.",
       SET, VALUE("gain", float64)) {
    return scp_select_next(TO(gain), DATA(problem), DATA(set), SIZE(size), in->control);
}

SEARCH(select_greedy, "Lazy greedy, in the order of the picks.", M, PROGRESS, FOUND) {
    return scp_select_greedy(DATA(found), TO(count), DATA(problem), SIZE(m), in->control);
}

SEARCH(select_swap, "Best-improvement exchanges from a feasible set.", M, SET, PROGRESS, FOUND,
       VALUE("swaps", int64)) {
    return scp_select_swap(DATA(found), TO(count), TO(swaps), DATA(problem), SIZE(m), in->control);
}

_Static_assert(sizeof(size_t) == sizeof(int64_t), "checkpoints are read as size_t");

SEARCH(select_random, "The paper's random search.", M, COUNT("seed", 0, UINT64_MAX),
       COUNT("draws", 1, PY_SSIZE_T_MAX),
       ARRAY("checkpoints", int64, "[points]", .note = "ascending, at most draws"), PROGRESS, FOUND,
       OUT("prefix", float64, "[points]", .note = "best score of the first so many draws")) {
    const struct scp_select_draws draws = {SIZE(seed), SIZE(draws), DATA(checkpoints),
                                           SIZE(points)};
    return scp_select_random(DATA(found), TO(count), DATA(prefix), DATA(problem), SIZE(m), &draws,
                             in->control);
}

SEARCH(select_bound, "Lagrangian upper bound of the score of every feasible set.", M, SET,
       REAL("score", .note = "of the set"), COUNT("iterations", 0, PY_SSIZE_T_MAX),
       ARRAY("multipliers", float32, "[clients]", .flags = WRITE, .note = "NaN: none yet"),
       PROGRESS, VALUE("bound", float64),
       VALUE("mu", float64, .note = "multiplier of the budget")) {
    const struct scp_select_incumbent incumbent = {DATA(set), SIZE(size), NUMBER(score)};
    struct scp_select_dual dual = {.lambda = DATA(multipliers)};
    const enum scp_status status =
        scp_select_bound(&dual, DATA(problem), SIZE(m), &incumbent, SIZE(iterations), in->control);
    *(double *)TO(bound) = dual.bound;
    *(double *)TO(mu) = dual.mu;
    return status;
}

#define PROOF                                                                                      \
    VALUE("score", float64), VALUE("bound", float64),                                              \
        VALUE("nodes", int64, .note = "or sets looked at"), VALUE("proven", boolean)

static enum scp_status proved(struct scp_args *in, enum scp_status status,
                              const struct scp_select_proof *proof) {
    *(double *)TO(score) = proof->score;
    *(double *)TO(bound) = proof->bound;
    *(size_t *)TO(nodes) = proof->nodes;
    *(size_t *)TO(proven) = proof->proven;
    return status;
}

SEARCH(select_exact, "Branch and bound from a feasible set and select_bound's multipliers.", M, SET,
       REAL("bound"), MULTIPLIERS, COUNT("max_nodes", 0, PY_SSIZE_T_MAX), PROGRESS,
       ARRAY("trace", float64, "[room]", .flags = WRITE | OPTIONAL | NONE), FOUND, PROOF,
       VALUE("traced", int64, .note = "numbers in trace; 0: there was no room")) {
    const struct scp_select_dual dual = {.bound = NUMBER(bound), .lambda = DATA(multipliers)};
    struct scp_select_trace trace = {.numbers = DATA(trace)};
    if (trace.numbers) trace.room = SIZE(room);
    struct scp_select_proof proof = {.trace = trace.numbers ? &trace : NULL};
    const enum scp_status status = scp_select_exact(DATA(found), TO(count), &proof, DATA(problem),
                                                    SIZE(m), &dual, SIZE(max_nodes), in->control);
    *(size_t *)TO(traced) = trace.size;
    return proved(in, status, &proof);
}

SEARCH(select_enumerate, "Score every set of that size that the multipliers do not exclude.", SET,
       MULTIPLIERS, COUNT("max_sets", 0, PY_SSIZE_T_MAX), PROGRESS, FOUND, PROOF) {
    struct scp_select_proof proof = {0};
    return proved(in,
                  scp_select_enumerate(DATA(found), TO(count), &proof, DATA(problem), SIZE(size),
                                       DATA(multipliers), SIZE(max_sets), in->control),
                  &proof);
}

FUNCTION(select_above, "How far rows lie above a floor, by cluster of clients (scp/select.h).",
         ARRAY("values", float32, "[images][clients]"), ARRAY("weights", float64, "[clients]"),
         ARRAY("floor", float32, "[clients]"), ARRAY("cluster", uint32, "[clients]"),
         COUNT("clusters", 1, UINT32_MAX), PROGRESS, OUT("above", float64, "[images][clusters]")) {
    const struct scp_above_input input = {DATA(values), DATA(weights), DATA(floor),   DATA(cluster),
                                          SIZE(images), SIZE(clients), SIZE(clusters)};
    return scp_select_above(DATA(above), &input, in->control);
}

FUNCTION(zcore, "Scores of ZCore (scp/zcore.h).", ARRAY("columns", float32, "[dimensions][images]"),
         ARRAY("shape", float32, "[dimensions][three]",
               .note = "smallest, median and largest of each dimension"),
         COUNT("seed", 0, UINT64_MAX), COUNT("draws", 0, PY_SSIZE_T_MAX), PROGRESS,
         OUT("scores", float64, "[images]")) {
    if (SIZE(three) != 3)
        return scp_invalid(in->control, "shape", SCP_SHAPE, "must have 3 columns");
    const struct scp_zcore_input input = {DATA(columns), DATA(shape), SIZE(dimensions),
                                          SIZE(images)};
    return scp_zcore(DATA(scores), &input, SIZE(seed), SIZE(draws), in->control);
}

#define SIDES                                                                                      \
    ARRAY("left", float32, "[rows][dimensions]"),                                                  \
        ARRAY("right", float32, "[columns][dimensions]"), REAL("gamma")

static struct scp_vectors sides(const struct scp_args *in) {
    return (struct scp_vectors){DATA(left),    DATA(right),      SIZE(rows),
                                SIZE(columns), SIZE(dimensions), NUMBER(gamma)};
}

FUNCTION(vectors_values, "Similarities of two sets of vectors (scp/vectors.h).", SIDES, PROGRESS,
         OUT("values", float32, "[rows][columns]")) {
    const struct scp_vectors vectors = sides(in);
    return scp_vectors_values(DATA(values), &vectors, in->control);
}

FUNCTION(vectors_excess, "How far similarities lie above floors, summed over columns.", SIDES,
         ARRAY("floors", float32, "[sets][columns]"), ARRAY("weights", float32, "[columns]"),
         PROGRESS, OUT("excess", float64, "[sets][rows]")) {
    const struct scp_vectors vectors = sides(in);
    return scp_vectors_excess(DATA(excess), &vectors, DATA(floors), SIZE(sets), DATA(weights),
                              in->control);
}
