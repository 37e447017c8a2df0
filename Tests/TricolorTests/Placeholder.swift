// TricolorTests
