/* Selection against naive forms: kernels, scores, every method on small problems by enumeration,
 * rules, extreme magnitudes, failing allocations, interruption; the same bits on every set and
 * thread count. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../csrc/kernels/kernels.h"
#include "scp/cpu.h"
#include "scp/random.h"
#include "scp/select.h"
#include "test.h"

#define N 11
#define Q 71
#define ITERATIONS 300

struct fixture {
    float values[N * Q];
    double weights[Q], costs[N], distances[N * N];
    uint8_t roles[N];
    uint32_t groups[N];
    struct scp_select_input input;
};

/* A problem from a seed; `step` > 0 rounds the values, which makes ties. */
static void fill(struct fixture *f, uint64_t seed, double step) {
    struct scp_rng rng;
    scp_rng_init(&rng, seed, 0);
    for (size_t i = 0; i < N * Q; i++) {
        const double u = scp_rng_uniform(&rng);
        f->values[i] = (float)(step > 0 ? floor(u / step) * step : u - 0.25);
    }
    for (size_t q = 0; q < Q; q++) f->weights[q] = scp_rng_uniform(&rng) + 0.1;
    for (size_t t = 0; t < N; t++) {
        f->roles[t] = SCP_FREE;
        f->costs[t] = 1 + (double)scp_rng_below(&rng, 5);
        f->groups[t] = scp_rng_below(&rng, 4);
        for (size_t u = 0; u <= t; u++)
            f->distances[t * N + u] = f->distances[u * N + t] = u < t ? scp_rng_uniform(&rng) : 0;
    }
    f->input = (struct scp_select_input){
        .values = f->values, .weights = f->weights, .roles = f->roles, .n = N, .q = Q};
}

/* ---- naive forms ---- */

static double naive_score(const struct fixture *f, unsigned set, unsigned initial) {
    double sum = 0;
    for (size_t q = 0; q < Q; q++) {
        double best = -INFINITY;
        for (size_t t = 0; t < N; t++)
            if ((set | initial) >> t & 1) best = fmax(best, (double)f->values[t * Q + q]);
        sum += f->weights[q] * best;
    }
    return set | initial ? sum : 0;
}

static int naive_allowed(const struct fixture *f, unsigned set, unsigned initial) {
    double cost = 0;
    for (size_t t = 0; t < N; t++) {
        const unsigned in = set >> t & 1;
        if (in && (f->roles[t] == SCP_EXCLUDE || f->roles[t] == SCP_INITIAL)) return 0;
        if (!in && f->roles[t] == SCP_INCLUDE) return 0;
        if (in) cost += f->costs[t];
        size_t same = 0;
        for (size_t u = 0; u < N; u++) {
            if (!((set | initial) >> u & 1)) continue;
            same += f->groups[u] == f->groups[t];
            if (in && u != t && f->input.distances &&
                f->distances[t * N + u] < f->input.min_distance)
                return 0;
        }
        if (in && f->input.groups && same > f->input.quota) return 0;
    }
    return !f->input.costs || cost <= f->input.budget;
}

/* The best allowed set of m rows (any number: SCP_SELECT_ANY), 0 when there is none. */
static unsigned naive_best(double *score, const struct fixture *f, size_t m, unsigned initial) {
    unsigned best = 0;
    *score = -INFINITY;
    for (unsigned set = 1; set < 1u << N; set++) {
        size_t size = 0;
        for (unsigned rest = set; rest; rest &= rest - 1) size++;
        if ((m != SCP_SELECT_ANY && size != m) || !naive_allowed(f, set, initial)) continue;
        const double s = naive_score(f, set, initial);
        if (s > *score) *score = s, best = set;
    }
    return best;
}

static unsigned mask_of(const uint32_t *set, size_t count) {
    unsigned mask = 0;
    for (size_t i = 0; i < count; i++) mask |= 1u << set[i];
    return mask;
}

/* ---- kernels ---- */

static void kernels_are_the_same_everywhere(void) {
    enum { MOST = 600 };
    static float rows[5][MOST], out[4][MOST], first_out[4][MOST];
    static double w[MOST], t[MOST];
    static uint32_t order[MOST];
    const size_t lengths[] = {1,  7,  8,  9,  15,  16,  17,  31,  32,
                              33, 63, 64, 65, 255, 257, 511, 513, 600};
    const uint32_t set[3] = {2, 0, 1};
    struct scp_rng rng;
    scp_rng_init(&rng, 5, 0);
    for (size_t i = 0; i < MOST; i++) {
        for (size_t k = 0; k < 5; k++) rows[k][i] = (float)(scp_rng_uniform(&rng) - 0.3);
        w[i] = scp_rng_uniform(&rng);
        t[i] = scp_rng_uniform(&rng) * 0.3;
        order[i] = (uint32_t)(MOST - 1 - i);
    }
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        const size_t n = lengths[l];
        double first[10] = {0}, excess = 0, weighted = 0, score = 0;
        for (size_t i = 0; i < n; i++) {
            excess += fmax((double)rows[1][i] - (double)rows[4][i], 0);
            weighted += fmax(w[i] * (double)rows[1][i] - t[i], 0);
            score += w[i] * fmax(fmax((double)rows[3][i], (double)rows[2][i]),
                                 fmax((double)rows[0][i], (double)rows[1][i]));
        }
        for (int isa = 0; isa < SCP_ISA_COUNT; isa++) {
            if (!scp_isa_available((enum scp_isa)isa)) continue;
            scp_isa_set(scp_isa_name((enum scp_isa)isa));
            const struct scp_kernels *k = scp_kernels();
            double got[10];
            k->coverage.excess4(got, rows[0], rows[1], rows[2], rows[3], rows[4], n);
            got[4] = k->coverage.score(w, rows[3], rows[0], MOST, set, 3, n);
            got[5] = k->coverage.weighted_excess(w, t, rows[1], n);
            k->coverage.exchange(got + 6, rows[0], order, rows[1], rows[2], w, n);
            got[8] = k->coverage.sum(rows[0], n);
            got[9] = 0;
            k->coverage.draws(got + 9, rows[3], rows[0], MOST, n, set, 3, 1);
            memcpy(out, rows, sizeof out);
            k->coverage.best(out[0], rows[1], n);
            k->coverage.count(out[1], rows[0], rows[4], n);
            k->coverage.range(out[2], out[3], rows[4], n);
            CHECK(fabs(got[1] - excess) <= 40 * 0x1p-24 * excess);
            CHECK(fabs(got[5] - weighted) <= 1e-13);
            CHECK(fabs(got[4] - score) <= 1e-12);
            if (isa == SCP_ISA_PORTABLE) {
                memcpy(first, got, sizeof first);
                memcpy(first_out, out, sizeof first_out);
            }
            CHECK(memcmp(first, got, sizeof first) == 0);
            CHECK(memcmp(first_out, out, sizeof first_out) == 0);
        }
    }
    scp_isa_set(NULL);
}

static void planes_are_the_same_everywhere(void) {
    enum { MOST = 600 };
    static float a[MOST], b[MOST], r[MOST], first_r[MOST];
    static double sums[MOST], first_sums[MOST];
    const size_t lengths[] = {1, 7, 8, 15, 16, 17, 33, 255, 256, 257, 600};
    struct scp_rng rng;
    scp_rng_init(&rng, 6, 0);
    for (size_t i = 0; i < MOST; i++) { /* many are equally near */
        a[i] = (float)scp_rng_below(&rng, 9) / 4;
        b[i] = (float)scp_rng_below(&rng, 9) / 4;
    }
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        const size_t n = lengths[l];
        size_t nearest = 0;
        double first_total = 0;
        for (size_t i = 1; i < n; i++)
            if (fabsf(a[i] - 1.1f) + fabsf(b[i] - 0.7f) <
                fabsf(a[nearest] - 1.1f) + fabsf(b[nearest] - 0.7f))
                nearest = i;
        for (int isa = 0; isa < SCP_ISA_COUNT; isa++) {
            if (!scp_isa_available((enum scp_isa)isa)) continue;
            scp_isa_set(scp_isa_name((enum scp_isa)isa));
            const struct scp_plane_kernels *k = &scp_kernels()->plane;
            CHECK(k->nearest(a, b, 1.1f, 0.7f, n) == nearest);
            CHECK(k->distances(r, a, b, 1.1f, 0.7f, 0) == INFINITY);
            const float min = k->distances(r, a, b, 1.1f, 0.7f, n);
            CHECK(min == r[nearest]);
            const double total = k->shares(r, min, n);
            CHECK(r[nearest] == 1 && total >= 1 && total <= (double)n);
            for (size_t i = 0; i < n; i++) sums[i] = (double)i / 7;
            k->subtract(sums, r, 1 / total, n);
            if (isa == SCP_ISA_PORTABLE) {
                first_total = total;
                memcpy(first_r, r, sizeof r);
                memcpy(first_sums, sums, sizeof sums);
            }
            CHECK(memcmp(&total, &first_total, sizeof total) == 0);
            CHECK(memcmp(first_r, r, n * sizeof *r) == 0);
            CHECK(memcmp(first_sums, sums, n * sizeof *sums) == 0);
        }
    }
    scp_isa_set(NULL);
}

/* ---- methods ---- */

/* Runs every method; the answers are checked against the best set by enumeration. */
static void check_problem(const struct fixture *f, size_t m, unsigned initial) {
    struct scp_select *p = NULL;
    uint32_t set[N], greedy[N];
    float lambda[Q];
    size_t count = 0, swaps;
    double best, prefix[2];
    const size_t checkpoints[2] = {5, 60};
    const struct scp_select_draws draws = {9, 60, checkpoints, 2};
    const unsigned winner = naive_best(&best, f, m, initial);
    CHECK(scp_select_create(&p, &f->input, NULL) == SCP_OK);
    if (!p) return;
    enum scp_status status = scp_select_greedy(set, &count, p, m, NULL);
    CHECK(status == (winner ? SCP_OK : SCP_EINFEASIBLE));
    if (status != SCP_OK) {
        scp_select_free(p);
        return;
    }
    memcpy(greedy, set, sizeof greedy);
    const double first = scp_select_score(p, set, count);
    CHECK(naive_allowed(f, mask_of(set, count), initial));
    CHECK(m == SCP_SELECT_ANY || count == m);
    CHECK(fabs(first - naive_score(f, mask_of(set, count), initial)) <= 1e-12);

    CHECK(scp_select_swap(set, &count, &swaps, p, m, NULL) == SCP_OK);
    const double swapped = scp_select_score(p, set, count);
    CHECK(naive_allowed(f, mask_of(set, count), initial));
    CHECK(swapped >= first && (swaps > 0 || swapped == first));
    for (size_t i = 0; i < count; i++) /* no exchange improves */
        for (unsigned c = 0; c < N; c++) {
            const unsigned next = (mask_of(set, count) & ~(1u << set[i])) | 1u << c;
            if (mask_of(set, count) >> c & 1 || !naive_allowed(f, next, initial)) continue;
            CHECK(naive_score(f, next, initial) <= swapped + 1e-7);
        }

    lambda[0] = NAN;
    struct scp_select_dual dual = {.lambda = lambda};
    const struct scp_select_incumbent incumbent = {set, count, swapped};
    CHECK(scp_select_bound(&dual, p, m, &incumbent, ITERATIONS, NULL) == SCP_OK);
    CHECK(dual.bound >= best - 1e-13 * fabs(best));

    struct scp_select_proof proof = {0};
    CHECK(scp_select_exact(set, &count, &proof, p, m, &dual, 100000, NULL) == SCP_OK);
    CHECK(proof.proven && proof.bound == proof.score && proof.nodes > 0);
    CHECK(fabs(proof.score - best) <= 1e-12 * (1 + fabs(best)));
    CHECK(naive_allowed(f, mask_of(set, count), initial));
    CHECK(proof.score == scp_select_score(p, set, count));
    CHECK(!scp_select_violates(p, set, count));

    count = N; /* without nodes: the start and the bound come back */
    memcpy(set, greedy, sizeof set);
    count = m == SCP_SELECT_ANY ? 0 : m;
    if (count > 0) {
        CHECK(scp_select_exact(set, &count, &proof, p, m, &dual, 0, NULL) == SCP_OK);
        CHECK(proof.nodes == 0 && proof.score == first && proof.bound >= best - 1e-12);
        CHECK(proof.proven == 0 || first >= dual.bound);
        const enum scp_status listed =
            scp_select_enumerate(set, &count, &proof, p, m, lambda, 100000, NULL);
        CHECK(listed == SCP_OK || listed == SCP_EUNSUPPORTED); /* there are rules */
        if (listed == SCP_OK) {
            CHECK(proof.proven && proof.nodes > 0 && proof.score == scp_select_score(p, set, m));
            CHECK(fabs(proof.score - best) <= 1e-12 * (1 + fabs(best)));
        }
    }

    status = scp_select_random(set, &count, prefix, p, m, &draws, NULL);
    CHECK(status == SCP_OK || status == SCP_EINFEASIBLE);
    if (status == SCP_OK) {
        CHECK(naive_allowed(f, mask_of(set, count), initial));
        CHECK(prefix[0] <= prefix[1] && prefix[1] <= best + 1e-12);
        CHECK(prefix[1] == scp_select_score(p, set, count));
    }
    scp_select_free(p);
}

static void methods_agree_with_enumeration(void) {
    struct fixture f;
    for (uint64_t seed = 0; seed < 6; seed++)
        for (size_t m = 1; m <= N; m += m < 4 ? 1 : 3) {
            fill(&f, seed, seed % 3 == 2 ? 0.25 : 0);
            check_problem(&f, m, 0);
            f.roles[3] = SCP_INITIAL, f.roles[7] = SCP_INCLUDE, f.roles[8] = SCP_EXCLUDE;
            check_problem(&f, m, 1u << 3);
        }
}

static void rules_are_kept(void) {
    struct fixture f;
    for (unsigned rules = 1; rules < 16; rules++)
        for (uint64_t seed = 10; seed < 14; seed++) {
            fill(&f, seed, 0);
            unsigned initial = 0;
            if (rules & 1) f.input.groups = f.groups, f.input.quota = 1 + seed % 2;
            if (rules & 2) f.input.costs = f.costs, f.input.budget = 9;
            if (rules & 4) f.input.distances = f.distances, f.input.min_distance = 0.35;
            if (rules & 8) {
                f.roles[0] = SCP_INITIAL, f.roles[4] = SCP_INCLUDE;
                initial = 1;
            }
            for (size_t m = 1; m <= 5; m += 2) check_problem(&f, m, initial);
            if (rules & 2) check_problem(&f, SCP_SELECT_ANY, initial);
        }
}

static void ties_go_to_the_smallest_set(void) {
    struct fixture f;
    fill(&f, 3, 0);
    for (size_t t = 1; t < N; t++) memcpy(f.values + t * Q, f.values, Q * sizeof(float));
    struct scp_select *p = NULL;
    CHECK(scp_select_create(&p, &f.input, NULL) == SCP_OK);
    uint32_t set[N];
    size_t count = 0, swaps;
    CHECK(scp_select_greedy(set, &count, p, 3, NULL) == SCP_OK);
    CHECK(count == 3 && set[0] == 0 && set[1] == 1 && set[2] == 2);
    CHECK(scp_select_swap(set, &count, &swaps, p, 3, NULL) == SCP_OK && swaps == 0);
    uint32_t other[3] = {4, 9, 10};
    count = 3;
    float lambda[Q] = {NAN};
    struct scp_select_dual dual = {.lambda = lambda};
    struct scp_select_proof proof = {0};
    const struct scp_select_incumbent incumbent = {other, 3, scp_select_score(p, other, 3)};
    CHECK(scp_select_bound(&dual, p, 3, &incumbent, ITERATIONS, NULL) == SCP_OK);
    CHECK(scp_select_exact(other, &count, &proof, p, 3, &dual, 100000, NULL) == SCP_OK);
    CHECK(proof.proven && other[0] == 0 && other[1] == 1 && other[2] == 2);
    scp_select_free(p);
}

static void explains_in_pick_order(void) {
    struct fixture f;
    fill(&f, 21, 0);
    f.roles[5] = SCP_INITIAL;
    struct scp_select *p = NULL;
    CHECK(scp_select_create(&p, &f.input, NULL) == SCP_OK);
    uint32_t set[4] = {10, 2, 7, 0};
    double score = 0, gains[4];
    int64_t cover[Q];
    float value[Q];
    CHECK(scp_select_explain(&score, gains, cover, value, set, 4, p) == SCP_OK);
    CHECK(mask_of(set, 4) == (1u << 10 | 1u << 2 | 1u << 7 | 1u));
    double total = naive_score(&f, 0, 1u << 5);
    for (size_t k = 0; k < 4; k++) {
        CHECK(gains[k] >= 0 && (k == 0 || gains[k] <= gains[k - 1]));
        total += gains[k];
    }
    CHECK(fabs(total - score) <= 1e-12);
    for (size_t q = 0; q < Q; q++) {
        CHECK(cover[q] >= 0 && cover[q] < N);
        CHECK(f.values[(size_t)cover[q] * Q + q] == value[q]);
        for (size_t k = 0; k < 4; k++) CHECK(f.values[set[k] * Q + q] <= value[q]);
    }
    double next = 0, most = 0;
    CHECK(scp_select_next(&next, p, set, 4, NULL) == SCP_OK);
    for (uint32_t t = 0; t < N; t++)
        most = fmax(most, naive_score(&f, mask_of(set, 4) | 1u << t, 1u << 5) - score);
    CHECK(fabs(next - most) <= 1e-12);
    scp_select_free(p);
    f.roles[5] = SCP_FREE; /* nothing at all */
    CHECK(scp_select_create(&p, &f.input, NULL) == SCP_OK);
    CHECK(scp_select_explain(&score, gains, cover, value, set, 0, p) == SCP_OK);
    CHECK(score == 0 && cover[0] == -1 && value[0] == 0);
    scp_select_free(p);
}

/* ---- numbers far from 1 ---- */

static void magnitudes_do_not_matter(void) {
    struct fixture f;
    uint32_t plain[N], scaled[N];
    for (int exponent = -140; exponent <= 120; exponent += 65)
        for (int pass = 0; pass < 2; pass++) {
            struct scp_select *p = NULL;
            size_t count = 0, swaps;
            uint32_t *set = pass ? scaled : plain;
            float lambda[Q] = {NAN};
            struct scp_select_dual dual = {.lambda = lambda};
            struct scp_select_proof proof = {0};
            fill(&f, 8, 0x1p-6); /* multiples of 1/64: scaling by powers of two is exact */
            for (size_t q = 0; q < Q; q++) f.weights[q] = 1;
            for (size_t i = 0; pass && i < N * Q; i++) f.values[i] = ldexpf(f.values[i], exponent);
            CHECK(scp_select_create(&p, &f.input, NULL) == SCP_OK);
            CHECK(scp_select_greedy(set, &count, p, 3, NULL) == SCP_OK);
            CHECK(scp_select_swap(set, &count, &swaps, p, 3, NULL) == SCP_OK);
            const double score = scp_select_score(p, set, count);
            const struct scp_select_incumbent incumbent = {set, 3, score};
            CHECK(scp_select_bound(&dual, p, 3, &incumbent, ITERATIONS, NULL) == SCP_OK);
            CHECK(dual.bound >= score && dual.bound <= score * 1.2);
            CHECK(scp_select_exact(set, &count, &proof, p, 3, &dual, 100000, NULL) == SCP_OK);
            CHECK(proof.proven);
            if (pass) CHECK(memcmp(plain, scaled, 3 * sizeof *plain) == 0);
            scp_select_free(p);
        }
}

static void refuses_what_is_not_a_number(void) {
    struct fixture f;
    struct scp_select *p = NULL;
    fill(&f, 1, 0);
    f.values[2 * Q + 5] = NAN;
    struct scp_error error = {NULL, 0, NULL};
    const struct scp_control control = {.error = &error};
    CHECK(scp_select_create(&p, &f.input, &control) == SCP_EINVAL && !p);
    CHECK(error.argument && !strcmp(error.argument, "values") && error.at == 2 * Q + 5);
    f.values[2 * Q + 5] = 0;
    f.input.n = 0;
    CHECK(scp_select_create(&p, &f.input, NULL) == SCP_EINVAL && !p);
    fill(&f, 1, 0);
    f.roles[4] = 9;
    CHECK(scp_select_create(&p, &f.input, NULL) == SCP_EINVAL && !p);
}

/* ---- determinism, failure, interruption ---- */

struct outcome {
    uint32_t sets[4][N];
    double score[4], bound;
    size_t nodes;
};

static enum scp_status everything(struct outcome *o, const struct scp_select_input *input,
                                  const struct scp_control *control) {
    struct scp_select *p = NULL;
    size_t count = 0, swaps;
    float lambda[Q] = {NAN};
    struct scp_select_proof proof = {0};
    const size_t checkpoints[1] = {300};
    const struct scp_select_draws draws = {1, 300, checkpoints, 1};
    struct scp_select_dual dual = {.lambda = lambda};
    memset(o, 0, sizeof *o);
    enum scp_status status = scp_select_create(&p, input, NULL);
    if (status != SCP_OK) return status;
    status = scp_select_greedy(o->sets[0], &count, p, 4, control);
    memcpy(o->sets[1], o->sets[0], sizeof o->sets[0]);
    if (status == SCP_OK) status = scp_select_swap(o->sets[1], &count, &swaps, p, 4, control);
    if (status == SCP_OK) {
        o->score[0] = scp_select_score(p, o->sets[0], count);
        o->score[1] = scp_select_score(p, o->sets[1], count);
        const struct scp_select_incumbent incumbent = {o->sets[1], count, o->score[1]};
        status = scp_select_bound(&dual, p, 4, &incumbent, ITERATIONS, control);
        o->bound = dual.bound;
    }
    memcpy(o->sets[2], o->sets[1], sizeof o->sets[1]);
    if (status == SCP_OK)
        status = scp_select_exact(o->sets[2], &count, &proof, p, 4, &dual, 5000, control);
    o->score[2] = proof.score;
    o->nodes = proof.nodes;
    if (status == SCP_OK)
        status = scp_select_enumerate(o->sets[1], &count, &proof, p, 4, lambda, 100000, control);
    if (status == SCP_EUNSUPPORTED) status = SCP_OK; /* there are rules */
    if (status == SCP_OK)
        status = scp_select_random(o->sets[3], &count, o->score + 3, p, 4, &draws, control);
    scp_select_free(p);
    return status;
}

static void same_bits_at_any_thread_count(void) {
    struct fixture f;
    struct outcome first, other;
    fill(&f, 77, 0);
    f.input.groups = f.groups, f.input.quota = 2;
    CHECK(everything(&first, &f.input, NULL) == SCP_OK);
    CHECK(first.nodes > 0);
    for (int isa = 0; isa < SCP_ISA_COUNT; isa++) {
        if (!scp_isa_available((enum scp_isa)isa)) continue;
        scp_isa_set(scp_isa_name((enum scp_isa)isa));
        for (size_t threads = 1; threads <= 5; threads += 2) {
            CHECK(scp_threads_set(threads) == SCP_OK);
            CHECK(everything(&other, &f.input, NULL) == SCP_OK);
            CHECK(memcmp(&first, &other, sizeof first) == 0);
        }
    }
    scp_isa_set(NULL);
    CHECK(scp_threads_set(0) == SCP_OK);
}

static void failing_allocations_leave_nothing(void) {
    struct fixture f;
    struct outcome o;
    fill(&f, 4, 0);
    f.input.costs = f.costs, f.input.budget = 12;
    const size_t before = scp_alloc_outstanding();
    enum scp_status status = SCP_ENOMEM;
    size_t n = 0;
    while (status == SCP_ENOMEM && n < 5000) {
        scp_alloc_fail_at(++n);
        status = everything(&o, &f.input, NULL);
        scp_alloc_fail_at(0);
        CHECK(scp_alloc_outstanding() == before);
    }
    CHECK(status == SCP_OK && n > 100);
}

static int stop_at(void *data, size_t done, size_t total) {
    size_t *left = data;
    (void)done, (void)total;
    return *left == 0 || --*left == 0;
}

static void every_poll_can_stop_the_work(void) {
    struct fixture f;
    struct outcome o;
    fill(&f, 4, 0);
    const size_t before = scp_alloc_outstanding();
    enum scp_status status = SCP_EINTERRUPTED;
    size_t n = 0;
    while (status == SCP_EINTERRUPTED && n < 5000) {
        size_t left = ++n;
        struct scp_control control = {.poll = stop_at, .data = &left};
        status = everything(&o, &f.input, &control);
        CHECK(scp_alloc_outstanding() == before);
        CHECK(status == SCP_EINTERRUPTED || left > 0);
    }
    CHECK(status == SCP_OK && n > 10);
}

int main(void) {
    RUN(kernels_are_the_same_everywhere);
    RUN(planes_are_the_same_everywhere);
    RUN(methods_agree_with_enumeration);
    RUN(rules_are_kept);
    RUN(ties_go_to_the_smallest_set);
    RUN(explains_in_pick_order);
    RUN(magnitudes_do_not_matter);
    RUN(refuses_what_is_not_a_number);
    RUN(same_bits_at_any_thread_count);
    RUN(failing_allocations_leave_nothing);
    RUN(every_poll_can_stop_the_work);
    return test_end();
}
