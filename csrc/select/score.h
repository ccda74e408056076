/* Scores of sets, and their order (score.c). */
#ifndef SCP_SELECT_SCORE_H
#define SCP_SELECT_SCORE_H

#include "problem.h"

/* Score of set + row c where best[q] is the cover of set. */
double scp_score_with(const struct scp_select *p, const float *best, uint32_t c);

/* 1 when set a is better than b: larger score, or equal score and smaller sorted indices. */
int scp_score_better(double score_a, const uint32_t *a, size_t count_a, double score_b,
                     const uint32_t *b, size_t count_b);

void scp_sort_set(uint32_t *set, size_t count);

#endif
