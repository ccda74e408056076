/* Selection without Python: against all subsets, at any number of threads, on every set. */
#include "test.h"

#include <math.h>
#include <stdint.h>

#include "scp/cpu.h"
#include "scp/random.h"
#include "scp/select.h"

#define N 9
#define Q 61
#define M 3

struct scene {
    float values[N * Q];
    double weights[Q];
    uint8_t roles[N];
    struct scp_select *problem;
};

static void make_scene(struct scene *s, uint64_t stream) {
    struct scp_rng rng;
    scp_rng_init(&rng, 5, stream);
    for (size_t i = 0; i < N * Q; i++) s->values[i] = (float)scp_rng_uniform(&rng);
    for (size_t i = 0; i < Q; i++) s->weights[i] = scp_rng_uniform(&rng);
    memset(s->roles, SCP_FREE, sizeof s->roles);
}

static enum scp_status create(struct scene *s) {
    const struct scp_select_input input = {
        .values = s->values, .weights = s->weights, .roles = s->roles, .n = N, .q = Q};
    return scp_select_create(&s->problem, &input);
}

static double naive(const struct scene *s, const uint32_t *set) {
    double score = 0;
    for (size_t q = 0; q < Q; q++) {
        float best = -INFINITY;
        for (size_t k = 0; k < M; k++) best = fmaxf(best, s->values[set[k] * Q + q]);
        score += s->weights[q] * (double)best;
    }
    return score;
}

static double enumerated(const struct scene *s) {
    double best = -INFINITY;
    for (uint32_t a = 0; a < N; a++)
        for (uint32_t b = a + 1; b < N; b++)
            for (uint32_t c = b + 1; c < N; c++) {
                const uint32_t set[M] = {a, b, c};
                best = fmax(best, naive(s, set));
            }
    return best;
}

/* Greedy, exchanges, bound, proof; the first status that is not SCP_OK. */
static enum scp_status solve(struct scene *s, uint32_t *set, double *score, double *bound) {
    float lambda[Q];
    size_t count = 0, swaps;
    struct scp_select_proof proof;
    for (size_t i = 0; i < Q; i++) lambda[i] = NAN;
    enum scp_status status = create(s);
    if (status != SCP_OK) return status;
    status = scp_select_greedy(set, &count, s->problem, M, NULL);
    if (status == SCP_OK) status = scp_select_swap(set, &count, &swaps, s->problem, M, NULL);
    if (status == SCP_OK) {
        *score = scp_select_score(s->problem, set, count);
        status = scp_select_bound(bound, lambda, s->problem, M, set, count, *score, 100, NULL);
    }
    if (status == SCP_OK) {
        status = scp_select_exact(set, &count, &proof, s->problem, M, *bound, lambda, 1000, NULL);
        *score = proof.score;
        CHECK(status != SCP_OK || (proof.proven && count == M));
    }
    scp_select_free(s->problem);
    return status;
}

static void proves_the_best_of_all_subsets(void) {
    for (uint64_t stream = 0; stream < 10; stream++) {
        struct scene s;
        make_scene(&s, stream);
        const double best = enumerated(&s);
        uint32_t first[N];
        for (int isa = 0; isa < SCP_ISA_COUNT; isa++) {
            if (scp_isa_set(scp_isa_name((enum scp_isa)isa)) != SCP_OK) continue;
            for (size_t threads = 1; threads <= 4; threads += 3) {
                uint32_t set[N];
                double score = 0, bound = 0;
                CHECK(scp_threads_set(threads) == SCP_OK);
                CHECK(solve(&s, set, &score, &bound) == SCP_OK);
                CHECK(fabs(score - best) <= 1e-9 && bound >= best - 1e-12);
                if (isa == 0 && threads == 1) memcpy(first, set, sizeof first);
                CHECK(memcmp(first, set, M * sizeof *set) == 0);
            }
        }
        CHECK(scp_isa_set(NULL) == SCP_OK);
        CHECK(scp_threads_set(0) == SCP_OK);
    }
}

static void survives_failing_allocations(void) {
    struct scene s;
    make_scene(&s, 77);
    enum scp_status status = SCP_ENOMEM;
    uint64_t n = 0;
    while (status != SCP_OK && n < 2000) {
        uint32_t set[N];
        double score = 0, bound = 0;
        scp_alloc_fail_at(++n);
        status = solve(&s, set, &score, &bound);
        CHECK(status == SCP_OK || status == SCP_ENOMEM);
        CHECK(scp_alloc_outstanding() == 0);
    }
    scp_alloc_fail_at(0);
    CHECK(status == SCP_OK && n > 8);
}

static void draws_the_same_sets_at_any_thread_count(void) {
    struct scene s;
    make_scene(&s, 99);
    CHECK(create(&s) == SCP_OK);
    const size_t points[2] = {10, 5000};
    uint32_t first[N], set[N];
    double prefix[2], first_prefix[2];
    size_t count;
    CHECK(scp_select_random(first, &count, first_prefix, s.problem, M, 1, 5000, points, 2, NULL) ==
          SCP_OK);
    CHECK(first_prefix[0] <= first_prefix[1] && first_prefix[1] <= enumerated(&s) + 1e-12);
    CHECK(scp_threads_set(4) == SCP_OK);
    CHECK(scp_select_random(set, &count, prefix, s.problem, M, 1, 5000, points, 2, NULL) == SCP_OK);
    CHECK(count == M && memcmp(set, first, M * sizeof *set) == 0);
    CHECK(memcmp(prefix, first_prefix, sizeof prefix) == 0);
    CHECK(scp_threads_set(0) == SCP_OK);
    scp_select_free(s.problem);
}

static void refuses_values_that_are_not_finite(void) {
    struct scene s;
    make_scene(&s, 1);
    s.values[17] = NAN;
    CHECK(create(&s) == SCP_EINVAL);
    CHECK(scp_select_nonfinite(s.values, N * Q) == 17);
}

int main(void) {
    RUN(proves_the_best_of_all_subsets);
    RUN(survives_failing_allocations);
    RUN(draws_the_same_sets_at_any_thread_count);
    RUN(refuses_values_that_are_not_finite);
    return test_end();
}
