"""The works that texts cite by their labels, such as "Jacot et al. 2018, Thm 2": the one table behind every citation.

A source is a text: parts with "; " between them, each either a label of a work, with a comma and the place in the work,
or a section of the conventions, "theory.md §3.4", with the id of a claim where the section is that of the claims.
``docs/bibliography.md`` has the entries of this table, and ``docs/theory.md`` has the sections;
``tests/house/test_sources.py`` holds all three together.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Work:
    """A paper, a book or a set of notes.

    Attributes
    ----------
    label
        What texts call the work: authors and year, or a name.
    reference
        Authors, title, and where the work was published.
    link
        Number of a preprint as ``arXiv:…``, a ``doi:…``, or an address; empty where no stable one is known.
    """

    label: str
    reference: str
    link: str = ""

    @property
    def anchor(self) -> str:
        """Name of the entry in links: `jacot-et-al-2018`."""
        plain = unicodedata.normalize("NFKD", self.label).encode("ascii", "ignore").decode().lower()
        return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")

    @property
    def address(self) -> str:
        """The link as an address; empty where there is none."""
        for prefix, site in (("arXiv:", "https://arxiv.org/abs/"), ("doi:", "https://doi.org/")):
            if self.link.startswith(prefix):
                return site + self.link.removeprefix(prefix)
        return self.link


SUBJECTS: Final = {
    "The notes from which the claims come": (
        Work("Kalvankar notes", "Shreyas Kalvankar, Master's Thesis Notes, §1 “Formalization of the Neural Tangent "
            "Kernel”, undated; see also S. D. Kalvankar, Training Dynamics of Overparameterized Neural Networks, "
            "thesis, TU Delft 2026", "https://repository.tudelft.nl/record/uuid:c9e6188a-a47f-489a-ae88-2b0b23c3b20c"),
        Work("Li 2025", "Mufan Li (scribe Xiaoxi Luo), STAT 946, Mathematical Foundations of Deep Learning, lecture 6, "
            "University of Waterloo, 22 September 2025", "https://mufan-li.github.io/teaching/2025-fall-946"),
        Work("Valle Pérez 2019", "Guillermo Valle Pérez, Notes on “Neural Tangent Kernel: Convergence and "
            "Generalization in Neural Networks” by Jacot et al., for the Fall 2019 NTK reading group in Oxford, 19 "
            "August 2019"),
        Work("Wide-network notes", "Handwritten lecture notes, §3 “Neural Tangent Kernel (NTK)” and §4 “Mean-Field "
            "Networks”; our copy names neither author nor year"),
        Work("Xu 2021", "Richard Xu, Machine Learning Theory, lecture 4: Neural Network Gaussian Process and NTK, 4 "
            "October 2021"),
    ),
    "Networks of infinite width": (
        Work("Arora et al. 2019", "Sanjeev Arora, Simon S. Du, Wei Hu, Zhiyuan Li, Ruslan Salakhutdinov and Ruosong "
            "Wang, On Exact Computation with an Infinitely Wide Neural Net, NeurIPS 2019", "arXiv:1904.11955"),
        Work("Cho & Saul 2009", "Youngmin Cho and Lawrence K. Saul, Kernel Methods for Deep Learning, NIPS 2009"),
        Work("Daniely et al. 2016", "Amit Daniely, Roy Frostig and Yoram Singer, Toward Deeper Understanding of Neural "
            "Networks: The Power of Initialization and a Dual View on Expressivity, NIPS 2016", "arXiv:1602.05897"),
        Work("Jacot et al. 2018", "Arthur Jacot, Franck Gabriel and Clément Hongler, Neural Tangent Kernel: "
            "Convergence and Generalization in Neural Networks, NeurIPS 2018", "arXiv:1806.07572"),
        Work("Lee et al. 2018", "Jaehoon Lee, Yasaman Bahri, Roman Novak, Samuel S. Schoenholz, Jeffrey Pennington and "
            "Jascha Sohl-Dickstein, Deep Neural Networks as Gaussian Processes, ICLR 2018", "arXiv:1711.00165"),
        Work("Lee et al. 2019", "Jaehoon Lee, Lechao Xiao, Samuel S. Schoenholz, Yasaman Bahri, Roman Novak, Jascha "
            "Sohl-Dickstein and Jeffrey Pennington, Wide Neural Networks of Any Depth Evolve as Linear Models Under "
            "Gradient Descent, NeurIPS 2019", "arXiv:1902.06720"),
        Work("Matthews et al. 2018", "Alexander G. de G. Matthews, Mark Rowland, Jiri Hron, Richard E. Turner and "
            "Zoubin Ghahramani, Gaussian Process Behaviour in Wide Deep Neural Networks, ICLR 2018",
            "arXiv:1804.11271"),
        Work("Neal 1994", "Radford M. Neal, Priors for Infinite Networks, technical report CRG-TR-94-1, University of "
            "Toronto 1994"),
        Work("Rasmussen & Williams 2006", "Carl Edward Rasmussen and Christopher K. I. Williams, Gaussian Processes "
            "for Machine Learning, MIT Press 2006"),
        Work("Williams 1997", "Christopher K. I. Williams, Computing with Infinite Networks, NIPS 9, 1997"),
        Work("Yang 2020", "Greg Yang, Tensor Programs II: Neural Tangent Kernel for Any Architecture, 2020",
            "arXiv:2006.14548"),
    ),
    "Finite width, lazy and rich training": (
        Work("Chizat et al. 2019", "Lénaïc Chizat, Edouard Oyallon and Francis Bach, On Lazy Training in "
            "Differentiable Programming, NeurIPS 2019", "arXiv:1812.07956"),
        Work("Du et al. 2019", "Simon S. Du, Xiyu Zhai, Barnabás Póczos and Aarti Singh, Gradient Descent Provably "
            "Optimizes Over-parameterized Neural Networks, ICLR 2019", "arXiv:1810.02054"),
        Work("Dyer & Gur-Ari 2020", "Ethan Dyer and Guy Gur-Ari, Asymptotics of Wide Networks from Feynman Diagrams, "
            "ICLR 2020", "arXiv:1909.11304"),
        Work("Geiger et al. 2020", "Mario Geiger, Stefano Spigler, Arthur Jacot and Matthieu Wyart, Disentangling "
            "Feature and Lazy Training in Deep Neural Networks, J. Stat. Mech. 2020", "arXiv:1906.08034"),
        Work("Hanin & Nica 2020", "Boris Hanin and Mihai Nica, Finite Depth and Width Corrections to the Neural "
            "Tangent Kernel, ICLR 2020", "arXiv:1909.05989"),
        Work("Huang & Yau 2020", "Jiaoyang Huang and Horng-Tzer Yau, Dynamics of Deep Neural Networks and Neural "
            "Tangent Hierarchy, ICML 2020", "arXiv:1909.08156"),
        Work("Tian 2017", "Yuandong Tian, An Analytical Formula of Population Gradient for two-layered ReLU network "
            "and its Applications in Convergence and Critical Point Analysis, ICML 2017", "arXiv:1703.00560"),
        Work("Yang & Hu 2021", "Greg Yang and Edward J. Hu, Tensor Programs IV: Feature Learning in Infinite-Width "
            "Neural Networks, ICML 2021", "arXiv:2011.14522"),
        Work("Yehudai & Shamir 2019", "Gilad Yehudai and Ohad Shamir, On the Power and Limitations of Random Features "
            "for Understanding Neural Networks, NeurIPS 2019", "arXiv:1904.00687"),
        Work("Zhang et al. 2017", "Chiyuan Zhang, Samy Bengio, Moritz Hardt, Benjamin Recht and Oriol Vinyals, "
            "Understanding Deep Learning Requires Rethinking Generalization, ICLR 2017", "arXiv:1611.03530"),
    ),
    "Mean-field networks": (
        Work("Chizat & Bach 2018", "Lénaïc Chizat and Francis Bach, On the Global Convergence of Gradient Descent for "
            "Over-parameterized Models using Optimal Transport, NeurIPS 2018", "arXiv:1805.09545"),
        Work("Hu et al. 2021", "Kaitong Hu, Zhenjie Ren, David Šiška and Łukasz Szpruch, Mean-Field Langevin Dynamics "
            "and Energy Landscape of Neural Networks, Ann. Inst. H. Poincaré Probab. Statist. 57, 2021",
            "arXiv:1905.07769"),
        Work("Mei et al. 2018", "Song Mei, Andrea Montanari and Phan-Minh Nguyen, A Mean Field View of the Landscape "
            "of Two-Layer Neural Networks, PNAS 115, E7665, 2018", "arXiv:1804.06561"),
        Work("Rotskoff & Vanden-Eijnden 2018", "Grant M. Rotskoff and Eric Vanden-Eijnden, Trainability and Accuracy "
            "of Neural Networks: An Interacting Particle System Approach, 2018", "arXiv:1805.00915"),
        Work("Sirignano & Spiliopoulos 2020", "Justin Sirignano and Konstantinos Spiliopoulos, Mean Field Analysis of "
            "Neural Networks: A Law of Large Numbers, SIAM J. Appl. Math. 80, 2020", "arXiv:1805.01053"),
        Work("Sznitman 1991", "Alain-Sol Sznitman, Topics in Propagation of Chaos, Lecture Notes in Mathematics 1464, "
            "Springer 1991", "doi:10.1007/BFb0085169"),
    ),
    "Transport and gradient flows of measures": (
        Work("Ambrosio et al. 2008", "Luigi Ambrosio, Nicola Gigli and Giuseppe Savaré, Gradient Flows in Metric "
            "Spaces and in the Space of Probability Measures, 2nd edition, Birkhäuser 2008",
            "doi:10.1007/978-3-7643-8722-8"),
        Work("Ambrosio et al. 2019", "Luigi Ambrosio, Federico Stra and Dario Trevisan, A PDE approach to a "
            "2-dimensional matching problem, Probab. Theory Relat. Fields 173, 433, 2019", "arXiv:1611.04960"),
        Work("Dowson & Landau 1982", "D. C. Dowson and B. V. Landau, The Fréchet distance between multivariate normal "
            "distributions, J. Multivariate Anal. 12, 450, 1982", "doi:10.1016/0047-259X(82)90077-X"),
        Work("Fournier & Guillin 2015", "Nicolas Fournier and Arnaud Guillin, On the rate of convergence in "
            "Wasserstein distance of the empirical measure, Probab. Theory Relat. Fields 162, 2015", "arXiv:1312.2128"),
        Work("Jordan et al. 1998", "Richard Jordan, David Kinderlehrer and Felix Otto, The Variational Formulation of "
            "the Fokker–Planck Equation, SIAM J. Math. Anal. 29, 1, 1998", "doi:10.1137/S0036141096303359"),
        Work("Ledoux 2017", "Michel Ledoux, On optimal matching of Gaussian samples, Zap. Nauchn. Sem. POMI 457, 226, "
            "2017"),
        Work("Rabin et al. 2011", "Julien Rabin, Gabriel Peyré, Julie Delon and Marc Bernot, Wasserstein Barycenter "
            "and Its Application to Texture Mixing, SSVM 2011", "doi:10.1007/978-3-642-24785-9_37"),
        Work("Santambrogio 2015", "Filippo Santambrogio, Optimal Transport for Applied Mathematicians, Birkhäuser "
            "2015", "doi:10.1007/978-3-319-20828-2"),
        Work("Santambrogio 2017", "Filippo Santambrogio, {Euclidean, metric, and Wasserstein} gradient flows: an "
            "overview, Bull. Math. Sci. 7, 2017", "arXiv:1609.03890"),
        Work("Talagrand 1994", "Michel Talagrand, The Transportation Cost from the Uniform Measure to the Empirical "
            "Measure in Dimension ≥ 3, Ann. Probab. 22, 919, 1994", "doi:10.1214/aop/1176988735"),
        Work("Villani 2009", "Cédric Villani, Optimal Transport: Old and New, Springer 2009",
            "doi:10.1007/978-3-540-71050-9"),
    ),
    "Methods of computation": (
        Work("Alpaydin & Kaynak 1998", "Ethem Alpaydin and Cenk Kaynak, Optical Recognition of Handwritten Digits, UCI "
            "Machine Learning Repository 1998"),
        Work("Cortes et al. 2012", "Corinna Cortes, Mehryar Mohri and Afshin Rostamizadeh, Algorithms for Learning "
            "Kernels Based on Centered Alignment, J. Mach. Learn. Res. 13, 795, 2012", "arXiv:1203.0550"),
        Work("Cristianini et al. 2001", "Nello Cristianini, John Shawe-Taylor, André Elisseeff and Jaz Kandola, On "
            "Kernel-Target Alignment, NIPS 2001"),
        Work("Dormand & Prince 1980", "J. R. Dormand and P. J. Prince, A family of embedded Runge–Kutta formulae, J. "
            "Comput. Appl. Math. 6, 19, 1980", "doi:10.1016/0771-050X(80)90013-3"),
        Work("Gustafsson 1991", "Kjell Gustafsson, Control-Theoretic Techniques for Stepsize Selection in Explicit "
            "Runge–Kutta Methods, ACM Trans. Math. Software 17, 533, 1991"),
        Work("Hairer et al. 1993", "Ernst Hairer, Syvert P. Nørsett and Gerhard Wanner, Solving Ordinary Differential "
            "Equations I: Nonstiff Problems, 2nd edition, Springer 1993"),
        Work("Kornblith et al. 2019", "Simon Kornblith, Mohammad Norouzi, Honglak Lee and Geoffrey Hinton, Similarity "
            "of Neural Network Representations Revisited, ICML 2019", "arXiv:1905.00414"),
        Work("Leimkuhler & Matthews 2013", "Benedict Leimkuhler and Charles Matthews, Rational Construction of "
            "Stochastic Numerical Methods for Molecular Sampling, Appl. Math. Res. Express 2013, 34"),
        Work("Milstein & Tretyakov 2004", "G. N. Milstein and M. V. Tretyakov, Stochastic Numerics for Mathematical "
            "Physics, Springer 2004"),
        Work("Polyak 1964", "B. T. Polyak, Some methods of speeding up the convergence of iteration methods, USSR "
            "Comput. Math. Math. Phys. 4, 1, 1964", "doi:10.1016/0041-5553(64)90137-5"),
        Work("Roy & Vetterli 2007", "Olivier Roy and Martin Vetterli, The effective rank: A measure of effective "
            "dimensionality, EUSIPCO 2007"),
        Work("Salmon et al. 2011", "John K. Salmon, Mark A. Moraes, Ron O. Dror and David E. Shaw, Parallel random "
            "numbers: as easy as 1, 2, 3, SC 2011", "doi:10.1145/2063384.2063405"),
        Work("Wigner 1958", "Eugene P. Wigner, On the distribution of the roots of certain symmetric matrices, Ann. of "
            "Math. 67, 325, 1958"),
    ),
    "Statistics": (
        Work("Bhattacharjee & Seno 2001", "Somendra M. Bhattacharjee and Flavio Seno, A measure of data collapse for "
            "scaling, J. Phys. A 34, 6375, 2001"),
        Work("Clopper & Pearson 1934", "C. J. Clopper and E. S. Pearson, The use of confidence or fiducial limits "
            "illustrated in the case of the binomial, Biometrika 26, 404, 1934"),
        Work("Efron 1979", "Bradley Efron, Bootstrap Methods: Another Look at the Jackknife, Ann. Statist. 7, 1, 1979",
            "doi:10.1214/aos/1176344552"),
        Work("Efron & Tibshirani 1993", "Bradley Efron and Robert J. Tibshirani, An Introduction to the Bootstrap, "
            "Chapman & Hall 1993"),
        Work("Holm 1979", "Sture Holm, A simple sequentially rejective multiple test procedure, Scand. J. Statist. 6, "
            "65, 1979"),
        Work("Kleibergen 2005", "Frank Kleibergen, Testing Parameters in GMM Without Assuming that They Are "
            "Identified, Econometrica 73, 1103, 2005"),
        Work("Neyman 1959", "Jerzy Neyman, Optimal asymptotic tests of composite statistical hypotheses, in "
            "Probability and Statistics, the Harald Cramér volume, 1959"),
        Work("Pratt 1961", "John W. Pratt, Length of confidence intervals, J. Amer. Statist. Assoc. 56, 549, 1961"),
        Work("Schuirmann 1987", "Donald J. Schuirmann, A comparison of the two one-sided tests procedure and the power "
            "approach for assessing the equivalence of average bioavailability, J. Pharmacokinet. Biopharm. 15, 657, "
            "1987"),
        Work("Šidák 1967", "Zbyněk Šidák, Rectangular confidence regions for the means of multivariate normal "
            "distributions, J. Amer. Statist. Assoc. 62, 626, 1967"),
        Work("Tukey 1958", "John W. Tukey, Bias and confidence in not-quite large samples (abstract), Ann. Math. "
            "Statist. 29, 614, 1958"),
    ),
}  # fmt: skip
"""Subject → its works, in the order of the labels."""
WORKS: Final = {work.label: work for works in SUBJECTS.values() for work in works}
"""Label → work."""


def works_cited(sources: Iterable[str]) -> tuple[Work, ...]:
    """Return the works that sources name, each once, in the order of the table."""
    cited = {part.split(",", 1)[0].strip() for source in sources for part in source.split(";")}
    return tuple(work for label, work in WORKS.items() if label in cited)
