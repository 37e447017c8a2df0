// TricolorPacingTests
