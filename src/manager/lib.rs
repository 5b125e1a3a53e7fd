//! The QKDN manager (Y.3804 clauses 9 and 10): QLM, KMLM, QCLM and XLMO. It follows the agents; nothing of it is here yet.
