#if defined(__AVX__) || defined(__ARM_FEATURE_SVE)
#error "the core is compiled for the baseline; instruction sets are chosen at run time"
#endif
#include "simd/portable.h"
#include "table.h"
#include "tree_table.h"
