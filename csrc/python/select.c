/* scp._core: selection. A problem is prepared once and used by any number of calls and threads. */
#include "args.h"

#include <string.h>

#include "scp/select.h"

TYPE(scp_py_problem, scp_select_free, "scp._core.Problem",
     "A selection problem, prepared; keeps its arrays alive.", "images clients")

FUNCTION(select_problem, "Prepare a selection problem (scp/select.h).",
         ARRAY("values", float32, "[images][clients]", .flags = KEEP),
         ARRAY("weights", float64, "[clients]", .flags = KEEP),
         ARRAY("roles", uint8, "[images]", .flags = KEEP, .note = "enum scp_role"),
         ARRAY("groups", uint32, "[images]", .flags = KEEP | NONE),
         COUNT("quota", 0, PY_SSIZE_T_MAX, .note = "at most so many of a group"),
         ARRAY("costs", float64, "[images]", .flags = KEEP | NONE), REAL("budget"),
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

FUNCTION(select_score, "Score of a set of rows.", PROBLEM, SET, VALUE("score", float64)) {
    const enum scp_status status =
        scp_select_check(DATA(problem), 0, DATA(set), SIZE(size), in->control);
    if (status == SCP_OK)
        *(double *)TO(score) = scp_select_score(DATA(problem), DATA(set), SIZE(size));
    return status;
}

/* ---- searches that replace a set: `found` starts as a copy of it ---- */

static enum scp_status start(struct scp_args *in, size_t m) {
    const size_t size = SIZE(size);
    const enum scp_status status = scp_select_check(DATA(problem), m, DATA(set), size, in->control);
    *(size_t *)TO(count) = size;
    if (status == SCP_OK && size) memcpy(DATA(found), DATA(set), size * sizeof(uint32_t));
    return status;
}

FUNCTION(select_explain, "Pick order of a set, what each pick adds, and who covers whom.", PROBLEM,
         SET, FOUND, OUT("gains", float64, "[size]"), VALUE("score", float64),
         OUT("cover", int64, "[clients]"), OUT("cover_value", float32, "[clients]")) {
    const enum scp_status status = start(in, 0);
    if (status != SCP_OK) return status;
    return scp_select_explain(TO(score), DATA(gains), DATA(cover), DATA(cover_value), DATA(found),
                              SIZE(size), DATA(problem));
}

FUNCTION(select_greedy, "Lazy greedy, in the order of the picks.", PROBLEM, M, PROGRESS, FOUND) {
    const enum scp_status status = scp_select_check(DATA(problem), SIZE(m), NULL, 0, in->control);
    if (status != SCP_OK) return status;
    return scp_select_greedy(DATA(found), TO(count), DATA(problem), SIZE(m), in->control);
}

FUNCTION(select_swap, "Best-improvement exchanges from a feasible set.", PROBLEM, M, SET, PROGRESS,
         FOUND, VALUE("swaps", int64)) {
    const enum scp_status status = start(in, SIZE(m));
    if (status != SCP_OK) return status;
    return scp_select_swap(DATA(found), TO(count), TO(swaps), DATA(problem), SIZE(m), in->control);
}

_Static_assert(sizeof(size_t) == sizeof(int64_t), "checkpoints are read as size_t");

FUNCTION(select_random, "The paper's random search.", PROBLEM, M, COUNT("seed", 0, UINT64_MAX),
         COUNT("draws", 1, PY_SSIZE_T_MAX),
         ARRAY("checkpoints", int64, "[points]", .note = "ascending, at most draws"), PROGRESS,
         FOUND,
         OUT("prefix", float64, "[points]", .note = "best score of the first so many draws")) {
    const enum scp_status status = scp_select_check(DATA(problem), SIZE(m), NULL, 0, in->control);
    if (status != SCP_OK) return status;
    const struct scp_select_draws draws = {SIZE(seed), SIZE(draws), DATA(checkpoints),
                                           SIZE(points)};
    return scp_select_random(DATA(found), TO(count), DATA(prefix), DATA(problem), SIZE(m), &draws,
                             in->control);
}

/* ---- bounds and proofs ---- */

FUNCTION(select_bound, "Lagrangian upper bound of the score of every feasible set.", PROBLEM, M,
         SET, REAL("score", .note = "of the set"), COUNT("iterations", 0, PY_SSIZE_T_MAX),
         ARRAY("multipliers", float32, "[clients]", .flags = WRITE, .note = "NaN: none yet"),
         PROGRESS, VALUE("bound", float64)) {
    const struct scp_select_incumbent incumbent = {DATA(set), SIZE(size), NUMBER(score)};
    struct scp_select_dual dual = {.lambda = DATA(multipliers)};
    enum scp_status status =
        scp_select_check(DATA(problem), SIZE(m), DATA(set), SIZE(size), in->control);
    if (status == SCP_OK)
        status = scp_select_bound(&dual, DATA(problem), SIZE(m), &incumbent, SIZE(iterations),
                                  in->control);
    *(double *)TO(bound) = dual.bound;
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
    *(int *)TO(proven) = proof->proven;
    return status;
}

FUNCTION(select_exact, "Branch and bound from a feasible set and select_bound's multipliers.",
         PROBLEM, M, SET, REAL("bound"), MULTIPLIERS, COUNT("max_nodes", 0, PY_SSIZE_T_MAX),
         PROGRESS, FOUND, PROOF) {
    const struct scp_select_dual dual = {NUMBER(bound), DATA(multipliers)};
    struct scp_select_proof proof = {0};
    const enum scp_status status = start(in, SIZE(m));
    if (status != SCP_OK) return status;
    return proved(in,
                  scp_select_exact(DATA(found), TO(count), &proof, DATA(problem), SIZE(m), &dual,
                                   SIZE(max_nodes), in->control),
                  &proof);
}

FUNCTION(select_enumerate, "Score every set of that size that the multipliers do not exclude.",
         PROBLEM, SET, MULTIPLIERS, COUNT("max_sets", 0, PY_SSIZE_T_MAX), PROGRESS, FOUND, PROOF) {
    struct scp_select_proof proof = {0};
    const enum scp_status status = start(in, 0);
    if (status != SCP_OK) return status;
    return proved(in,
                  scp_select_enumerate(DATA(found), TO(count), &proof, DATA(problem), SIZE(size),
                                       DATA(multipliers), SIZE(max_sets), in->control),
                  &proof);
}

const scp_functions scp_py_select_functions = {&select_problem_function,
                                               &select_attach_function,
                                               &select_score_function,
                                               &select_explain_function,
                                               &select_greedy_function,
                                               &select_swap_function,
                                               &select_random_function,
                                               &select_bound_function,
                                               &select_exact_function,
                                               &select_enumerate_function,
                                               NULL};
