/* scp_surf_detect: known blobs, argument limits, failing allocations, nothing left over. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "scp/alloc.h"
#include "scp/surf.h"

#define SIDE 96
#define NOISE 256 /* side of an image with many key points */

static int failures;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            failures++;                                                                            \
        }                                                                                          \
    } while (0)

static const struct scp_surf_options defaults = {100.0, 4, 3};

static void blob(uint8_t *image, double cx, double cy, double sigma) {
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            const double d = (x - cx) * (x - cx) + (y - cy) * (y - cy);
            const double v = image[y * SIDE + x] + 200.0 * exp(-d / (2.0 * sigma * sigma));
            image[y * SIDE + x] = (uint8_t)(v > 255.0 ? 255.0 : v);
        }
}

static void finds_a_blob(void) {
    static uint8_t image[SIDE * SIDE];
    struct scp_surf_point *points = NULL;
    size_t count = 0;
    memset(image, 20, sizeof image);
    blob(image, 40.0, 52.0, 2.4);
    CHECK(scp_surf_detect(&points, &count, image, SIDE, SIDE, &defaults, NULL) == SCP_OK);
    CHECK(count >= 1);
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (points[i].response > points[best].response) best = i;
    if (count) {
        CHECK(fabs(points[best].x - 40.0) < 0.1);
        CHECK(fabs(points[best].y - 52.0) < 0.1);
        CHECK(points[best].side > 9.0 && points[best].side < 27.0);
        CHECK(points[best].response > 100.0);
    }
    scp_free(points);
}

static void finds_nothing_in_small_or_flat_images(void) {
    static uint8_t image[SIDE * SIDE];
    memset(image, 255, sizeof image);
    for (size_t height = 1; height < 40; height += 6)
        for (size_t width = 1; width < 40; width += 6) {
            struct scp_surf_point *points = NULL;
            size_t count = 99;
            CHECK(scp_surf_detect(&points, &count, image, height, width, &defaults, NULL) ==
                  SCP_OK);
            CHECK(count == 0);
            scp_free(points);
        }
}

static void refuses_bad_arguments(void) {
    static const uint8_t image[4] = {0};
    const struct scp_surf_options bad[] = {
        {-1.0, 4, 3}, {NAN, 4, 3}, {INFINITY, 4, 3}, {1.0, 0, 3},
        {1.0, 11, 1}, {1.0, 4, 0}, {1.0, 8, 20},     {1.0, 1, ~0u},
    };
    struct scp_surf_point *points = NULL;
    size_t count = 0;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK(scp_surf_detect(&points, &count, image, 2, 2, &bad[i], NULL) == SCP_EINVAL);
    CHECK(scp_surf_detect(&points, &count, image, 0, 4, &defaults, NULL) == SCP_EINVAL);
    CHECK(scp_surf_detect(&points, &count, image, 4, (size_t)-1, &defaults, NULL) == SCP_EINVAL);
    CHECK(points == NULL && count == 0);
}

static void survives_failing_allocations(void) {
    static uint8_t image[NOISE * NOISE];
    uint32_t state = 1;
    for (size_t i = 0; i < sizeof image; i++) {
        state = state * 1664525u + 1013904223u;
        image[i] = (uint8_t)(state >> 24);
    }
    const struct scp_surf_options many = {0.0, 3, 3};
    enum scp_status status = SCP_ENOMEM;
    unsigned n = 0;
    size_t most = 0;
    while (status != SCP_OK && n < 100) {
        struct scp_surf_point *points = NULL;
        size_t count = 0;
        scp_alloc_fail_at(++n);
        status = scp_surf_detect(&points, &count, image, NOISE, NOISE, &many, NULL);
        CHECK(status == SCP_OK || status == SCP_ENOMEM);
        CHECK(status == SCP_OK || points == NULL);
        most = count > most ? count : most;
        scp_free(points);
        CHECK(scp_alloc_outstanding() == 0);
    }
    scp_alloc_fail_at(0);
    CHECK(most > 256); /* the list of points had to grow, with an allocation of its own */
    CHECK(status == SCP_OK && n >= 6);
}

static int stop(void *data, size_t done, size_t total) {
    (void)data, (void)done, (void)total;
    return 1;
}

static void stops_when_asked(void) {
    static const uint8_t image[SIDE * SIDE];
    const struct scp_control control = {.poll = stop};
    struct scp_surf_point *points = NULL;
    size_t count = 0;
    CHECK(scp_surf_detect(&points, &count, image, SIDE, SIDE, &defaults, &control) ==
          SCP_EINTERRUPTED);
    CHECK(points == NULL);
}

int main(void) {
    finds_a_blob();
    finds_nothing_in_small_or_flat_images();
    refuses_bad_arguments();
    survives_failing_allocations();
    stops_when_asked();
    CHECK(scp_alloc_outstanding() == 0);
    return failures != 0;
}
