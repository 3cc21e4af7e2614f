"""The works that a methods text cites, in full: those whose authors and year it names, and no others."""

from __future__ import annotations

REFERENCES = {
    "Dorfman, Berbaum and Metz 1992": "Dorfman DD, Berbaum KS, Metz CE (1992). Receiver operating characteristic "
    "rating analysis. Investigative Radiology 27: 723-731.",
    "Fleiss 1971": "Fleiss JL (1971). Measuring nominal scale agreement among many raters. Psychological Bulletin 76: "
    "378-382.",
    "Fleiss, Cohen and Everitt 1969": "Fleiss JL, Cohen J, Everitt BS (1969). Large sample standard errors of kappa "
    "and weighted kappa. Psychological Bulletin 72: 323-327.",
    "Hillis 2007": "Hillis SL (2007). A comparison of denominator degrees of freedom methods for multiple observer ROC "
    "analysis. Statistics in Medicine 26: 596-619.",
    "Hothorn, Bretz and Westfall 2008": "Hothorn T, Bretz F, Westfall P (2008). Simultaneous inference in general "
    "parametric models. Biometrical Journal 50: 346-363.",
    "Jaeckel 1972": "Jaeckel LA (1972). The infinitesimal jackknife. Bell Laboratories Memorandum MM 72-1215-11.",
    "Satterthwaite 1946": "Satterthwaite FE (1946). An approximate distribution of estimates of variance components. "
    "Biometrics Bulletin 2: 110-114.",
    "Westfall and Young 1993": "Westfall PH, Young SS (1993). Resampling-Based Multiple Testing. Wiley.",
}
"""By authors and year, as they are cited."""


def cited(text: str) -> list[str]:
    """The references of a text, by authors."""
    return [whole for name, whole in sorted(REFERENCES.items()) if name in text]
