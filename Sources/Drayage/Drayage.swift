// Drayage
