/* Selection: which images to annotate. Weighted facility location: Eq. 9 of the paper is the score,
 * Eq. 10 asks for the set with the largest.
 *
 *     score(S) = sum_q weights[q] * max_{t in S or initial} values[t][q]          (maximise)
 *
 * Letters: N images (candidates), Q clients (key points of all images), M picks.
 *
 * The score is computed in float64 in one stated order, so that equal sets have equal bits
 * everywhere: lane j sums, over q = j, j+8, j+16, ... ascending, the rounded products
 * weights[q] * best[q]; then lane j + lane j+4, j+2, j+1. Clients beyond Q count as zero.
 *
 * Work that only screens is done in float32 with a proven error margin; every decision is taken on
 * float64 scores. Results are the same bits at any number of threads and on every instruction set.
 * Ties go to the lexicographically smallest set of indices.
 *
 * Rules. `initial` rows are already annotated: free, never picked, but they count for the group
 * quota and for the distances. A set is feasible when it holds every INCLUDE row, no EXCLUDE row,
 * at most `quota` rows of a group, costs no more than `budget` (a relative 1e-9 above passes, so
 * that 0.1 + 0.2 fits 0.3), and no two of its rows are closer than `min_distance`. */
#ifndef SCP_SELECT_H
#define SCP_SELECT_H

#include <stddef.h>
#include <stdint.h>

#include "scp/status.h"
#include "scp/threads.h"

enum scp_role { SCP_FREE = 0, SCP_INITIAL = 1, SCP_INCLUDE = 2, SCP_EXCLUDE = 3 };

/* "As many as the budget allows", for the parameter m. */
#define SCP_SELECT_ANY SIZE_MAX

/* A problem as the caller states it. Values and distances are borrowed and must outlive the
 * problem; the other arrays are copied. */
struct scp_select_input {
    const float *values;     /* [N][Q], finite */
    const double *weights;   /* [Q], finite, >= 0; their sum and the scores are finite too */
    const uint8_t *roles;    /* [N], enum scp_role */
    const uint32_t *groups;  /* [N], numbers below N; NULL: no groups */
    const double *costs;     /* [N], finite, >= 0; NULL: no budget */
    const double *distances; /* [N][N], symmetric; NULL: no minimum distance */
    size_t n, q;             /* N >= 1 (below 2^32), Q >= 1 */
    size_t quota;            /* at most so many per group, initial rows included */
    double budget;           /* not NaN, nor is the next */
    double min_distance;
};

struct scp_select; /* the prepared problem; read-only after creation, shared by threads */

enum scp_status scp_select_create(struct scp_select **out, const struct scp_select_input *input,
                                  const struct scp_control *control);
void scp_select_free(struct scp_select *problem);

/* Runs the sums of the calls below on a CUDA device (scp/cuda.h), which keeps a copy of the values.
 * The answers are the same bits; one thread at a time may then use the problem. SCP_EUNSUPPORTED:
 * no plug-in is open, or the device failed. */
enum scp_status scp_select_attach(struct scp_select *problem, int device);

/* What the calls below need of their arguments and do not look at again. SCP_EINVAL unless
 * set[count] holds different rows of the problem, and m is SCP_SELECT_ANY or at most N. start: the
 * set is one to start from, feasible and of m rows. */
enum scp_status scp_select_check(const struct scp_select *problem, size_t m, const uint32_t *set,
                                 size_t count, int start, const struct scp_control *control);

/* Score of set[count], rows in any order. An empty set without initial rows scores 0. */
double scp_select_score(const struct scp_select *problem, const uint32_t *set, size_t count);

/* Puts set[count] in pick order (each next row adds most, ties to the lowest index) and fills
 * gains[count] (score added by each pick), cover[Q] (the row that serves a client, the first pick
 * wins ties and initial rows come before picks; -1 when there is none) and cover_value[Q]. */
enum scp_status scp_select_explain(double *score, double *gains, int64_t *cover, float *cover_value,
                                   uint32_t *set, size_t count, const struct scp_select *problem);

/* What the best further row that the rules let join set[count] would add to its score; NaN where no
 * row may. */
enum scp_status scp_select_next(double *gain, const struct scp_select *problem, const uint32_t *set,
                                size_t count, const struct scp_control *control);

/* 0 when set[count] is feasible. Does not look at the size. */
int scp_select_violates(const struct scp_select *problem, const uint32_t *set, size_t count);

/* Lazy greedy: set[*count], m rows (or as many as the budget allows), in the order they were taken,
 * INCLUDE rows first. Each round takes the row with the largest score from which m rows can still
 * be reached. Without budget and distances that depends on m in no other way, so the first rows are
 * then the answer for fewer. With a budget it also tries the order by gain per cost and keeps the
 * better answer. set has room for N. SCP_EINFEASIBLE: no such set, or none found within a fixed
 * number of search nodes (only with a minimum distance). */
enum scp_status scp_select_greedy(uint32_t *set, size_t *count, const struct scp_select *problem,
                                  size_t m, const struct scp_control *control);

/* Best-improvement interchange from a feasible set[*count]: the exchange of one row with the
 * largest score, as long as it improves by more than 1e-9 of sum_q weights[q] * max_t |value|.
 * With m == SCP_SELECT_ANY rows are also added while the budget allows. */
enum scp_status scp_select_swap(uint32_t *set, size_t *count, size_t *swaps,
                                const struct scp_select *problem, size_t m,
                                const struct scp_control *control);

/* What a random search draws: set i comes from stream i of the seed. */
struct scp_select_draws {
    uint64_t seed;
    size_t count;
    const size_t *checkpoints; /* [n_checkpoints], ascending, <= count */
    size_t n_checkpoints;
};

/* The paper's random search: uniform sets of m rows, the first best wins. prefix[n_checkpoints]:
 * prefix[i] becomes the best score of the first checkpoints[i] draws (-infinity: none of them was
 * feasible). With rules a draw is repeated until it is feasible, at most 100 times, then picked row
 * by row among the rows still allowed, at most 100 times, then given up. SCP_EINFEASIBLE: all draws
 * were given up. */
enum scp_status scp_select_random(uint32_t *set, size_t *count, double *prefix,
                                  const struct scp_select *problem, size_t m,
                                  const struct scp_select_draws *draws,
                                  const struct scp_control *control);

/* A set to start from: set[count] and its score. */
struct scp_select_incumbent {
    const uint32_t *set;
    size_t count;
    double score;
};

/* A solution of the Lagrangian dual: multipliers[Q] in units of scp_select's screen, and the bound
 * they prove. */
struct scp_select_dual {
    double bound;
    float *lambda;
    double mu; /* the multiplier of the budget that the bound was computed with */
};

/* Lagrangian upper bound: dual->bound >= score of every feasible set of m rows, rigorous under
 * rounding. For multipliers lambda, with base the best initial value (or the smallest of the
 * candidates),
 *
 *     bound = sum_q lambda_q + max over sets of sum_{c in set} sum_q max(w_q v_cq - lambda_q, 0),
 *
 * the maximum taken exactly under size and groups, relaxed under the budget and without distances.
 * Subgradient iterations start from dual->lambda (NULL or all NaN: from the
 * incumbent), to which the best multipliers go back. */
enum scp_status scp_select_bound(struct scp_select_dual *dual, const struct scp_select *problem,
                                 size_t m, const struct scp_select_incumbent *incumbent,
                                 size_t iterations, const struct scp_control *control);

/* What a branch and bound did, so that others can check its proof: numbers[size], `size` left at 0
 * when `room` is not enough. One record per node that was looked at, parents first:
 *
 *     parent (its place in the order of records, -1: none), 1 when the parent's branch row is taken
 *     else 0, number of moves, the moves, branch row (-1: closed), move of the best multipliers
 *
 * and a move, which comes after a bound from the multipliers that it finds, is
 *
 *     multiplier of the budget (of the score), number of rows of the relaxed answer, these rows,
 *     length (0: it stays), number of rows that every better set has, these rows
 *
 * docs/explanation/certificate.md says how the multipliers follow. */
struct scp_select_trace {
    double *numbers;
    size_t room, size;
};

struct scp_select_proof {
    double score, bound; /* bound == score when proven */
    size_t nodes;        /* branch and bound nodes processed */
    int proven;
    struct scp_select_trace *trace; /* where scp_select_exact writes; NULL: nowhere */
};

/* Branch and bound from a feasible start set[*count] (replaced by the best found) and the answer of
 * scp_select_bound. Stops after max_nodes nodes. */
enum scp_status scp_select_exact(uint32_t *set, size_t *count, struct scp_select_proof *proof,
                                 const struct scp_select *problem, size_t m,
                                 const struct scp_select_dual *dual, size_t max_nodes,
                                 const struct scp_control *control);

/* Proof by enumeration, for problems without rules and 2 <= m <= 5: every set of m rows whose bound
 * by lambda (as in scp_select_bound) reaches the score of set[*count] is scored, and the best
 * replaces it; proof->nodes says how many. Not proven when more than max_sets would have to be.
 * SCP_EUNSUPPORTED: there are rules or initial or included rows, or another m. */
enum scp_status scp_select_enumerate(uint32_t *set, size_t *count, struct scp_select_proof *proof,
                                     const struct scp_select *problem, size_t m,
                                     const float *lambda, size_t max_sets,
                                     const struct scp_control *control);

/* Rows of a matrix that is too large for a problem. */
struct scp_above_input {
    const float *values;     /* [n][q] */
    const double *weights;   /* [q] */
    const float *floor;      /* [q] */
    const uint32_t *cluster; /* [q], below `clusters`: which sum a client belongs to */
    size_t n, q, clusters;
};

/* above[n][clusters]: sums over the clients of a cluster of weights * max(0, values - floor), added
 * in order in float64. NaN counts as 0. SCP_EINVAL: a cluster that is none. */
enum scp_status scp_select_above(double *above, const struct scp_above_input *input,
                                 const struct scp_control *control);

#endif
